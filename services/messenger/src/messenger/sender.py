"""The sending loop: claim, write the attempt down, deliver through the gate, write the answer down.

The call to the relay stands between two transactions. A crash before the first leaves the row due, one after it
leaves it in doubt; nothing here tries a message twice.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from duly_chassis import outbox, retry
from duly_chassis.faults import fingerprint, label
from duly_chassis.logs import log
from duly_chassis.service import Context
from messenger import domain, outcomes
from messenger.channel import Answer, Channel, InDoubt, Letter
from messenger.domain import Change, Contact, Hours, Outreach
from messenger.ledger import Ledger
from messenger.mailer import Mailer, unsendable
from messenger.unsendable import Unsendable

SOURCE = "duly/messenger"
LOG = log("sender")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator set about sending."""

    hours: Hours
    batch_max: int
    lease: timedelta  # machine clock
    doubt_wait: timedelta  # business clock


class Sender:
    """One of several loops side by side; its token marks the rows it has on their way."""

    def __init__(self, context: Context, channel: Channel, mailer: Mailer, rules: Rules) -> None:
        self._context = context
        self._channel = channel
        self._mailer = mailer
        self._rules = rules
        self.token = uuid4()

    async def step(self) -> bool:
        """Send one batch of what is due; True when there may be more."""
        try:
            return await self._send()
        except BaseException:
            self.token = uuid4()  # what may have been written down is in nobody's hands: its lease has to lapse
            raise

    async def _send(self) -> bool:
        now = self._context.clock.now()
        number, posting = await self._claim(now)
        if posting:
            answers = await self._channel.deliver([letter for _, letter in posting], self._gate)
            await self._settle([change for change, _ in posting], answers)
        return number == self._rules.batch_max

    async def _claim(self, now: datetime) -> tuple[int, list[tuple[Change, Letter]]]:
        """Decide over what is due, and write down the attempts before they are made."""
        async with self._context.database.transaction() as connection:
            tx = Ledger(connection)
            claimed = await tx.claim(now, self._rules.batch_max)
            if not claimed:
                return 0, []
            posting, others = [], []
            for row, contact, stops in claimed:
                change = domain.consider(row, contact, stops, self._rules.hours, now)
                letter = self._letter(change, contact, now)
                if isinstance(letter, Letter):
                    posting.append((change, letter))
                else:
                    others.append(letter)
            if posting:
                await tx.post([change for change, _ in posting], self.token, self._rules.lease, now)
            if others:
                outcomes.emit(await tx.change(others, now), now, tx)
            await outbox.put(connection, SOURCE, tx.outgoing)
        self._context.committed()
        self._count(others)
        return len(claimed), posting

    def _letter(self, change: Change, contact: Contact | None, now: datetime) -> Letter | Change:
        """Render what is to be sent; what cannot be rendered is one row's change, never the batch's failure."""
        if change.state != "posting" or contact is None:
            return change
        try:
            return self._mailer.letter(change.outreach, contact, now)
        except Unsendable as error:
            return unsendable(change.outreach, error)
        except Exception as error:  # noqa: BLE001 - our own mistake about one message must not hold up the others
            LOG.error("letter_unwritable", where=fingerprint(error))  # noqa: TRY400 - a traceback may hold addresses
            return unsendable(change.outreach, Unsendable("unwritable", type(error).__name__))

    @asynccontextmanager
    async def _gate(self, letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        """Hold everything that could forbid these letters while their bodies are written; give those allowed."""
        async with self._context.database.transaction() as connection:
            rows = await Ledger(connection).gate(self.token, [letter.outreach_id for letter in letters])
            now = self._context.clock.now()
            passed = [row for row, contact, stops in rows if self._allowed(row, contact, stops, now)]
            allowed = Counter(row.outreach_id for row in passed)
            # Two tenants may have given the same id to different messages: then both must be allowed, or none is.
            wanted = Counter(letter.outreach_id for letter in letters)
            yield {outreach_id for outreach_id, number in wanted.items() if allowed[outreach_id] == number}

    def _allowed(self, row: Outreach, contact: Contact | None, stops: domain.Stops, now: datetime) -> bool:
        return domain.consider(row, contact, stops, self._rules.hours, now).state == "posting"

    async def _settle(self, posted: Sequence[Change], answers: Sequence[Answer]) -> None:
        """Write the answers down, waiting in place for as long as the database is away: they are all we know."""
        now = self._context.clock.now()
        changes = [
            domain.settled(replace(change.outreach, attempt=change.attempt), answer, self._rules.doubt_wait, now)
            for change, answer in zip(posted, answers, strict=True)
        ]

        async def write() -> None:
            async with self._context.database.transaction() as connection:
                tx = Ledger(connection)
                effective = await tx.change(changes, now, self.token)
                outcomes.emit(effective, now, tx)
                await outbox.put(connection, SOURCE, tx.outgoing)

        await retry.in_place(write, lambda _error: True, self._failed)
        self._context.committed()
        self._count(changes)

    def _failed(self, error: BaseException, attempt: int) -> None:
        LOG.warning("settle_waits", error=label(error), attempt=attempt)

    def _count(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._context.metrics.sends.labels("messenger", "mail", change.state).inc()


class Leases:
    """Shows that this process lives, and notices those that do not: a lapsed attempt is in doubt at once."""

    def __init__(self, context: Context, tokens: Callable[[], Sequence[UUID]], rules: Rules) -> None:
        self._context = context
        self._tokens = tokens
        self._rules = rules

    async def step(self) -> bool:
        """Renew our leases, then take over what others left behind."""
        now = self._context.clock.now()
        async with self._context.database.transaction() as connection:
            tx = Ledger(connection)
            await tx.renew(self._tokens(), self._rules.lease)
            lapsed = await tx.lapsed(self._rules.batch_max * 10)
            if lapsed:
                doubt = InDoubt("sender_lost")
                changes = [domain.settled(row, doubt, self._rules.doubt_wait, now) for row in lapsed]
                await tx.change(changes, now)
        if lapsed:
            LOG.warning("leases_lapsed", rows=len(lapsed))
            self._context.committed()
        return False
