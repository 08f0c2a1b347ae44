"""What messenger needs of any channel: letters in, one answer for each, and the gate in between.

A new vendor is one file that gives these answers; the answer's type is the decision about another try.
"""

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

GATE_HELD_S_MAX = 0.25
"""From asking for the gate to the last byte of the bodies, on the machine clock; an older gate is void."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One rendered message to one person; every attempt at it has the same id and Message-ID."""

    outreach_id: UUID
    sender: str
    recipient: str = field(repr=False)
    content: bytes = field(repr=False)
    wording: str = ""  # the version of the template it was written with
    return_path: str = ""  # where it comes back to if it cannot be delivered; without one to the sender


def message_id(outreach_id: UUID, sender: str) -> str:
    """Give the Message-ID, the same at every attempt: what a relay's log or a bounce can be found by."""
    return f"<{outreach_id}@{sender.rpartition('@')[2]}>"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the responsibility for it; `provider_id` is kept as evidence."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class RefusedForNow:
    """Nothing was delivered, for certain; it may be tried again later. `code` is the provider's own."""

    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class RefusedForGood:
    """Nothing was delivered, for certain, and another try would be answered alike."""

    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """It may have been delivered and nobody can know: it is never repeated blindly."""

    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Withheld:
    """The gate did not let it pass, or could not be held: nothing was written; the row is tested anew."""

    reason: str = "not_allowed"


Answer = Accepted | RefusedForNow | RefusedForGood | InDoubt | Withheld


class Gate(Protocol):
    """The last test before the bodies go: `async with gate(letters) as allowed`.

    Entering locks and re-tests the rows of these letters and gives the ids that may be written now. It is
    held while the bodies are written, never while answers are awaited. A void gate is entered again.
    """

    def __call__(self, letters: Sequence[Letter], /) -> AbstractAsyncContextManager[Collection[UUID]]:
        """Return the gate for these letters, not yet entered."""


class Channel(Protocol):
    """A way to people. It never tries a letter twice, and it always answers."""

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        """Return one answer for each letter, in their order; raises nothing but cancellation.

        Cancelled in the middle, letters whose body was begun are in doubt: their rows still say so.
        """
