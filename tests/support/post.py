"""Messenger's way out, played by a test: what goes through the gate is kept, answers are chosen."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta

from duly_chassis.addresses import Mailbox
from duly_chassis.service import Context
from messenger.channel import Accepted, Answer, Channel, Gate, Letter, Withheld
from messenger.domain import Hours
from messenger.mailer import Mailer
from messenger.return_path import ReturningMailer, ReturnPath
from messenger.sender import Rules, Sender

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
    """Return a sending loop of messenger's that delivers to this channel, with return addresses or without."""
    writes = Mailbox("Duly", "duly@example.org"), "UTC"
    mailer = Mailer(*writes) if path is None else ReturningMailer(path, *writes)
    return Sender(context, channel, mailer, rules(hours))


def rules(hours: Hours = ALWAYS) -> Rules:
    """Return what an operator might have set."""
    return Rules(hours, batch_max=16, lease=timedelta(seconds=30), doubt_wait=timedelta(minutes=15))
