"""What the sending loop needs of whoever writes for a channel: a row and its recipient in, a letter out.

It is words/letters.py, over a pen of each channel. It is pure but for `prepare`: the same row gives the same letter, at
every attempt.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from messenger.channel import Letter
from messenger.domain import Change, Contact, Outreach
from messenger.sending.claims import Claimed
from messenger.words.unsendable import AddressRefused, Later, NotSetUp, Unsendable


class Writer(Protocol):
    """Writes the letters of one channel, whose address of the person is `domain.address(contact, channel)`."""

    async def prepare(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """Get ready what the letters of these rows need, so that writing them waits for nothing; rows are locked."""

    def letter(self, outreach: Outreach, contact: Contact, now: datetime) -> Letter:
        """Write the letter; raises Unsendable for what is wrong with this message alone.

        AddressRefused: nobody can be reached at it, so the message moves on, or is refused for good. NotSetUp: this
        tenant has no such channel, so it moves on, or waits for one. Later: nothing is wrong, it is due again. All
        else waits for a person.
        """


def unsendable(outreach: Outreach, error: Unsendable, now: datetime) -> Change:
    """Say what becomes of a message that cannot be written: a bad address is final, most else waits for a person."""
    if isinstance(error, Later):
        at = now + timedelta(seconds=error.after_s)
        return Change(outreach, "due", error.reason, at, outreach.attempt)
    if isinstance(error, NotSetUp):
        return Change(outreach, "due", error.reason, outreach.useful_until, outreach.attempt)
    state = "refused" if isinstance(error, AddressRefused) else "parked"
    return Change(outreach, state, error.reason, attempt=outreach.attempt, code=error.name)
