"""The sending loop: claim, write the attempt down, deliver through the gate, write the answer down.

The call to the relay stands between two transactions. A crash before the first leaves the row due, one after it
leaves it in doubt; nothing here tries a message twice.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from duly_chassis import crash, outbox, retry
from duly_chassis.faults import fingerprint, label
from duly_chassis.logs import log
from duly_chassis.service import Context
from messenger import domain, gate, outcomes, tracing
from messenger.channel import Answer, Channel, InDoubt, Letter, Withheld
from messenger.domain import Change, Contact, Hours, Outreach
from messenger.ledger import Ledger
from messenger.mailer import Mailer, unsendable
from messenger.unsendable import Unsendable

BEAT_EVERY_S = 15
WITHHELD_PAUSE_S = 0.025
WITHHELD_PAUSE_S_MAX = 5.0
CHANNEL = "mail"
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
        self._withheld_times = 0

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
            crash.at("send-claimed")
            began_s = time.monotonic()
            answers = await self._delivered([letter for _, letter in posting])
            lasted_s = time.monotonic() - began_s
            self._context.metrics.send_seconds.labels("messenger", CHANNEL).observe(lasted_s)
            await self._settle([change for change, _ in posting], answers, lasted_s)
            await self._give_way(answers)
        return number == self._rules.batch_max

    async def _delivered(self, letters: Sequence[Letter]) -> list[Answer]:
        """Deliver, showing life while the relay takes its time: its own deadlines end it."""
        delivery = asyncio.create_task(self._channel.deliver(letters, self._gate))
        try:
            while not delivery.done():
                await asyncio.wait([delivery], timeout=BEAT_EVERY_S)
                self._context.beat()
        finally:
            delivery.cancel()
        return await delivery

    async def _give_way(self, answers: Sequence[Answer]) -> None:
        """Pause, longer each time, while the gate lets nothing pass: whoever holds the rows needs the time more."""
        stuck = any(isinstance(answer, Withheld) for answer in answers)
        self._withheld_times = self._withheld_times + 1 if stuck else 0
        if stuck:
            await asyncio.sleep(min(WITHHELD_PAUSE_S_MAX, WITHHELD_PAUSE_S * 2**self._withheld_times))

    async def _claim(self, now: datetime) -> tuple[int, list[tuple[Change, Letter]]]:
        """Decide over what is due, and write down the attempts before they are made."""
        async with self._context.database.transaction() as connection:
            tx = Ledger(connection)
            claimed = await tx.claim(now, self._rules.batch_max)
            if not claimed:
                return 0, []
            await self._mailer.prepare(claimed, now)
            posting, others = [], []
            for row, contact, stops in claimed:
                letter = self._decided(row, contact, stops, now)
                if isinstance(letter, Change):
                    others.append(letter)
                else:
                    posting.append(letter)
            if posting:
                await tx.post(posting, now, self.token, self._rules.lease)
            if others:
                outcomes.emit(await tx.change(others, now), now, tx)
            await outbox.put(connection, self._context.source, tx.outgoing)
        self._context.committed()
        self._count(others)
        return len(claimed), posting

    def _decided(
        self, row: Outreach, contact: Contact | None, stops: domain.Stops, now: datetime
    ) -> tuple[Change, Letter] | Change:
        """Decide over one row, and write its letter; what is wrong with a row is its own change, never the batch's."""
        try:
            change = domain.consider(row, contact, stops, self._rules.hours, now)
            if change.state != "posting" or contact is None:
                return change
            return change, self._mailer.letter(row, contact, now)
        except Unsendable as error:
            return unsendable(row, error, now)
        except Exception as error:  # noqa: BLE001 - our own mistake about one message must not hold up the others
            LOG.error("letter_unwritable", where=fingerprint(error))  # noqa: TRY400 - a traceback may hold addresses
            return unsendable(row, Unsendable("unwritable", type(error).__name__), now)

    @asynccontextmanager
    async def _gate(self, letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        """Hold everything that could forbid these letters while their bodies are written; give those allowed."""
        async with self._context.database.transaction() as connection:
            rows = await gate.locked(connection, self.token, [letter.outreach_id for letter in letters])
            now = self._context.clock.now()
            passed = [row for row, contact, stops in rows if self._allowed(row, contact, stops, now)]
            allowed = Counter(row.outreach_id for row in passed)
            # Two tenants may have given the same id to different messages: then both must be allowed, or none is.
            wanted = Counter(letter.outreach_id for letter in letters)
            crash.at("gate-held")
            yield {outreach_id for outreach_id, number in wanted.items() if allowed[outreach_id] == number}

    def _allowed(self, row: Outreach, contact: Contact | None, stops: domain.Stops, now: datetime) -> bool:
        return domain.consider(row, contact, stops, self._rules.hours, now).state == "posting"

    async def _settle(self, posted: Sequence[Change], answers: Sequence[Answer], lasted_s: float) -> None:
        """Write the answers down, waiting in place for as long as the database is away: they are all we know."""
        now = self._context.clock.now()
        changes = [
            domain.settled(_attempted(change), answer, self._rules.doubt_wait, now)
            for change, answer in zip(posted, answers, strict=True)
        ]

        async def write() -> None:
            async with self._context.database.transaction() as connection:
                tx = Ledger(connection)
                effective[:] = await tx.change(changes, now, self.token)
                outcomes.emit(effective, now, tx)
                await outbox.put(connection, self._context.source, tx.outgoing)
                crash.at("settle-before-commit")

        effective: list[Change] = []
        await retry.in_place(write, lambda _error: True, self._failed)
        crash.at("settle-after-commit")
        self._context.traces.record(
            tracing.sent(change, before.outreach.traceparent, CHANNEL, lasted_s)
            for before, change, answer in zip(posted, changes, answers, strict=True)
            if not isinstance(answer, Withheld)  # nothing was sent, and its number is given to the next attempt
        )
        self._context.committed()
        self._count(effective)

    def _failed(self, error: BaseException, attempt: int) -> None:
        self._context.beat()  # these answers are all we know: nobody may take the waiting for death
        LOG.warning("settle_waits", error=label(error), attempt=attempt)

    def _count(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._context.metrics.sends.labels("messenger", CHANNEL, change.state, change.reason).inc()


def _attempted(change: Change) -> Outreach:
    """Return the message as this attempt leaves it; what is told of its outcome goes on in the attempt's trace."""
    outreach = change.outreach
    trace = tracing.attempt(outreach.tenant_id, outreach.outreach_id, change.attempt)
    return replace(outreach, attempt=change.attempt, traceparent=trace)


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
            lapsed = await tx.claim_lapsed(self._rules.batch_max * 10)
            if lapsed:
                doubt = InDoubt("sender_lost")
                changes = [domain.settled(row, doubt, self._rules.doubt_wait, now) for row in lapsed]
                await tx.change(changes, now)
                crash.at("lapse-before-commit")
        if lapsed:
            crash.at("lapse-after-commit")
            LOG.warning("leases_lapsed", rows=len(lapsed))
            self._context.committed()
        return False
