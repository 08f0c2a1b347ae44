"""Gates for tests of channels: open, shut, one that tells, and one that is late."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from messenger.channel import Gate, Letter


@asynccontextmanager
async def open_gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
    """Let all pass."""
    yield {letter.outreach_id for letter in letters}


@asynccontextmanager
async def shut_gate(_letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
    """Let nobody pass."""
    yield set()


def recording_gate(events: list[str], look: Callable[[], str] = lambda: "") -> Gate:
    """Return a gate that notes when it was entered and left, and what `look` saw then."""

    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        events.append(f"gate for {len(letters)}{look()}")
        yield {letter.outreach_id for letter in letters}
        events.append(f"gate left{look()}")

    return gate


def slow_gate(events: list[str], *waits_s: float) -> Gate:
    """Return a gate that takes so long to enter at its first rounds."""
    left = list(waits_s)

    @asynccontextmanager
    async def gate(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        events.append(f"gate for {len(letters)}")
        if left:
            await asyncio.sleep(left.pop(0))
        yield {letter.outreach_id for letter in letters}

    return gate
