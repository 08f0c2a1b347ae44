"""What messenger needs of any channel: letters in, one answer for each, and the gate in between.

A new vendor is one file that gives these answers; the answer's type is the decision about another try.
"""

from base64 import b32encode
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Literal, Protocol, runtime_checkable
from uuid import UUID

GATE_HELD_S_MAX = 0.25
"""From asking for the gate to the last byte of the bodies, on the machine clock; an older gate is void."""


TOKEN_CHARACTERS = 8

RetryScope = Literal["recipient", "account"]
"""Whom a provider's wish to wait concerns: this recipient alone, or all that a tenant sends over it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What chat and SMS send instead of a mail's bytes, with the ids by which it is found again."""

    tenant_id: str
    about: str
    step: str
    text: str = field(repr=False)  # without marks; where there are blocks, what a screen reader or a lock screen says
    blocks: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)  # a chat's layout
    valid_for_s: int | None = None  # how long it is still useful; a vendor that can, drops it afterwards


@dataclass(frozen=True, slots=True)
class Letter:
    """One rendered message to one person; every attempt at it has the same id and Message-ID."""

    outreach_id: UUID
    sender: str
    recipient: str = field(repr=False)  # a mail address, or a mobile number as E.164
    content: bytes = field(default=b"", repr=False)  # the whole mail; empty where there is a note
    wording: str = ""  # the version of the template it was written with
    return_path: str = ""  # where it comes back to if it cannot be delivered; without one to the sender
    note: Note | None = None  # what chat and SMS send; None for mail


def message_id(outreach_id: UUID, sender: str) -> str:
    """Give the Message-ID, the same at every attempt: what a relay's log or a bounce can be found by."""
    return f"<{outreach_id}@{sender.rpartition('@')[2]}>"


def short_token(tenant_id: str, outreach_id: UUID) -> str:
    """Give the token that stands in a text, the same at every attempt: what a list of texts is searched for."""
    digest = sha256(f"{tenant_id}/{outreach_id}".encode()).digest()
    return b32encode(digest).decode("ascii")[:TOKEN_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the responsibility for it; `provider_id` is kept as evidence."""

    provider_id: str


@dataclass(frozen=True, slots=True)
class RefusedForNow:
    """Nothing was delivered, for certain; it may be tried again later. `code` is the provider's own.

    `after_s` is the provider's wish to wait (Retry-After), in seconds from 0 to 86,400; None: it said nothing.
    """

    reason: str
    code: str = ""
    after_s: float | None = None
    scope: RetryScope = "recipient"


@dataclass(frozen=True, slots=True)
class RefusedForGood:
    """Nothing was delivered, for certain, and another try would be answered alike.

    With `address` it is the address: nobody can be reached at it here, so the next channel is tried.
    """

    reason: str
    code: str = ""
    address: bool = False


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


@runtime_checkable
class Listening(Gate, Protocol):
    """A gate that is also told each answer as soon as it is there: one may concern letters that have not begun."""

    def heard(self, letter: Letter, answer: Answer, /) -> None:
        """Take one answer; the channel gives it with the others all the same."""


class Channel(Protocol):
    """A way to people. It never tries a letter twice, and it always answers."""

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        """Return one answer for each letter, in their order; raises nothing but cancellation.

        Cancelled in the middle, letters whose body was begun are in doubt: their rows still say so.
        """


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an adapter declares about its vendor, in seconds: a message in doubt is asked for after their sum."""

    client_timeout_s: float  # of our own request, from its begin
    late_acceptance_s: float  # how long after that the vendor may still take it
    readback_lag_s: float  # how long what was taken may be missing from what is asked

    @property
    def first_check_after(self) -> timedelta:
        """How long after the attempt it may first be asked (business clock)."""
        return timedelta(seconds=self.client_timeout_s + self.late_acceptance_s + self.readback_lag_s)


@dataclass(frozen=True, slots=True)
class Sought:
    """A message in doubt: all that a vendor can be asked with."""

    tenant_id: str
    outreach_id: UUID
    recipient: str = field(repr=False)  # the address that the attempts went to, whatever the person's record says now
    first_posted_at: datetime  # wall clock: the first attempt on this channel; a search has no later end

    @property
    def token(self) -> str:
        """What stands in the text of every attempt."""
        return short_token(self.tenant_id, self.outreach_id)


@dataclass(frozen=True, slots=True)
class NotThere:
    """The vendor was asked for everything, and never took it: it is due again at once."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The vendor answered, and still nobody can know: asked again later, five times in all, then a person decides."""

    reason: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class NotAsked:
    """The vendor could not be asked (429, an outage, a cut): asked again later, and it is no check that failed."""

    reason: str
    code: str = ""
    after_s: float | None = None  # as of RefusedForNow
    scope: RetryScope = "recipient"  # account: sending waits, too


Found = Accepted | RefusedForGood | NotThere | Unclear | NotAsked
"""What reading back says of one message; refused for good: the vendor took it, and it has failed since."""


class ReadBack(Protocol):
    """A vendor that can be asked what it took. Asking changes nothing there, so it may be done again."""

    async def find(self, sought: Sequence[Sought]) -> list[Found]:
        """Return what the vendor knows of each, in their order; raises nothing but cancellation."""
