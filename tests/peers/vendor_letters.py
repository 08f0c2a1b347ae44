"""Letters to people whom the peers know, and a gate that stands open."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

from messenger.channel import Letter, Note, Sought, short_token

TENANT = "acme"


def letter(recipient: str, sender: str = "", text: str = "Fire safety is due on Friday.") -> Letter:
    """Write one message, with the token that texts end in."""
    outreach_id = uuid4()
    note = Note(TENANT, about="a-1", step="3", text=f"{text} {short_token(TENANT, outreach_id)}")
    return Letter(outreach_id, sender, recipient, note=note)


def sought(letters: Sequence[Letter], since: datetime) -> list[Sought]:
    """Ask for these as if nobody knew what became of them."""
    return [Sought(TENANT, one.outreach_id, one.recipient, since) for one in letters]


@asynccontextmanager
async def opened(letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
    """Let everything pass."""
    await asyncio.sleep(0)
    yield {one.outreach_id for one in letters}


def now() -> datetime:
    """Return the peers' time."""
    return datetime.now(UTC)
