"""Messenger's way out, played by a test: what goes through the gate is kept, answers are chosen."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from uuid import UUID

from duly_chassis.addresses import Mailbox
from duly_chassis.service import Context
from messenger.bounces.return_path import ReturnPath
from messenger.channel import Accepted, Answer, Channel, Found, Gate, Letter, Note, NotThere, Sought, Withheld
from messenger.domain import Contact, Outreach, address
from messenger.limits.pacing import Pace
from messenger.planning.hours import Hours
from messenger.sender import Rules, Sender
from messenger.sending.claims import Claimed
from messenger.settling.asking import Asker, Asking
from messenger.words.letters import Letters, ReturningLetters
from messenger.words.mail import MailWriter
from messenger.words.unsendable import AddressRefused

ALWAYS = Hours(time(0), time(0), "UTC")


def opened() -> asyncio.Event:
    """Return an event that is set."""
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Post:
    """A channel whose gate can be stood before, and stood in."""

    answer: Answer = field(default_factory=lambda: Accepted("relay-1"))
    letters: list[Letter] = field(default_factory=list)
    """Those whose bodies were written."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=opened)
    """Letters wait here, before the gate."""
    inside: asyncio.Event = field(default_factory=asyncio.Event)
    writable: asyncio.Event = field(default_factory=opened)
    """Letters wait here, in the gate."""

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        """Write what the gate allows; answer alike for all of it."""
        self.reached.set()
        await self.open.wait()
        async with gate(letters) as allowed:
            written = [letter for letter in letters if letter.outreach_id in allowed]
            self.inside.set()
            await self.writable.wait()
        self.letters += written
        return [self.answer if letter in written else Withheld() for letter in letters]


def sender(context: Context, channel: Channel, hours: Hours = ALWAYS, path: ReturnPath | None = None) -> Sender:
    """Return a sending loop of messenger's that delivers to this post, with return addresses or without."""
    writes = MailWriter(Mailbox("Duly", "duly@example.org")), "UTC"
    mails = Letters(*writes) if path is None else ReturningLetters(path, *writes)
    return Sender(context, channel, mails, rules(hours))


def rules(hours: Hours = ALWAYS, pace: Pace | None = None) -> Rules:
    """Return what an operator might have set."""
    return Rules(hours, batch_max=16, lease=timedelta(seconds=30), doubt_wait=timedelta(minutes=15), pace=pace)


class Notes:
    """Writes for a chat or for texts: the message's name to the address of its channel."""

    async def prepare(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """Need nothing."""

    def letter(self, outreach: Outreach, contact: Contact, now: datetime) -> Letter:  # noqa: ARG002 - the port names it
        """Write the note; an address that begins with `bad` is none."""
        to = address(contact, outreach.channel) or ""
        if to.startswith("bad"):
            raise AddressRefused("landline")
        note = Note(outreach.tenant_id, outreach.about, outreach.step, outreach.message)
        return Letter(outreach.outreach_id, "duly", to, note=note)


def noting(context: Context, post: Channel, name: str, pace: Pace | None = None, hours: Hours = ALWAYS) -> Sender:
    """Return a sending loop of a channel that takes notes."""
    return Sender(context, post, Notes(), rules(hours, pace), name)


@dataclass
class Provider:
    """A provider that can be asked: each message gets the answer chosen for it, or the common one."""

    answer: Found = field(default_factory=NotThere)
    by_id: dict[UUID, Found] = field(default_factory=dict)
    asked: list[Sought] = field(default_factory=list)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=opened)
    """Questions wait here."""
    error: Exception | None = None

    async def find(self, sought: Sequence[Sought]) -> list[Found]:
        """Answer as the test chose."""
        self.asked += sought
        self.reached.set()
        await self.open.wait()
        if self.error is not None:
            raise self.error
        return [self.by_id.get(one.outreach_id, self.answer) for one in sought]


def asker(context: Context, provider: Provider, name: str) -> Asker:
    """Return the asking loop of a channel."""
    return Asker(context, Asking(name, provider, ALWAYS))
