"""The sending loop: claim, write the attempt down, deliver through the gate, write the answer down.

Each channel has loops of its own. The call to the provider stands between two transactions. A crash before the first
leaves the row due, one after it leaves it in doubt; nothing here tries a message twice.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from duly_chassis import crash, outbox, retry
from duly_chassis.faults import fingerprint, label
from duly_chassis.logs import log
from duly_chassis.service import Context
from messenger import domain, tracing
from messenger.blocks import blocking
from messenger.blocks.block_list import BlockList
from messenger.channel import Answer, Channel, Letter, Withheld
from messenger.domain import MAIL, Change, Contact, Outreach
from messenger.limits import holding
from messenger.limits.braking import Brake
from messenger.limits.paced import Paced
from messenger.limits.pacer import Pacer
from messenger.limits.pacing import Pace
from messenger.planning import choosing
from messenger.planning.hours import Hours
from messenger.sending import gate, outcomes
from messenger.sending.claims import Claimed
from messenger.sending.delivering import delivered
from messenger.words.unsendable import Unsendable
from messenger.writer import Writer, unsendable

WITHHELD_PAUSE_S = 0.025
WITHHELD_PAUSE_S_MAX = 5.0
LOG = log("sender")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator set about sending."""

    hours: Hours
    batch_max: int
    lease: timedelta  # machine clock
    doubt_wait: timedelta  # business clock
    pace: Pace | None = None  # None: as fast as we can
    listed: BlockList = field(default_factory=BlockList)
    limits: holding.Limits = holding.USUAL  # of the brakes


@dataclass(frozen=True, slots=True)
class Posted:
    """An attempt that is written down: its change, its letter, and the zone its recipient's hours go by."""

    change: Change
    letter: Letter
    zone: str | None


class Sender:
    """One of several loops of a channel side by side; its token marks the rows it has on their way."""

    def __init__(self, context: Context, channel: Channel, writer: Writer, rules: Rules, name: str = MAIL) -> None:
        self._context = context
        self._channel = channel
        self._writer = writer
        self._rules = rules
        self._name = name
        self.token = uuid4()
        self._withheld_times = 0
        self._brakes: list[Brake] = []
        self._pacer = Pacer(context, name, rules.pace)

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
            gate = self._pacer.begin(self._gate, [one.change.outreach for one in posting])
            answers = await delivered(self._channel, [one.letter for one in posting], gate, self._context.beat)
            lasted_s = time.monotonic() - began_s
            await self._pacer.finished()
            self._context.metrics.send_seconds.labels("messenger", self._name).observe(lasted_s)
            await self._settle(posting, answers, lasted_s)
            await self._give_way(answers)
        more = number == self._rules.batch_max
        if not more:
            await self._pacer.wake_for_next(now)
        return more

    async def spread(self) -> bool:
        """Give messages that wait for their pace their moments, beside the sending."""
        return await self._pacer.spread()

    async def _give_way(self, answers: Sequence[Answer]) -> None:
        """Pause, longer each time, while the gate lets nothing pass: whoever holds the rows needs the time more."""
        stuck = any(isinstance(answer, Withheld) for answer in answers)
        self._withheld_times = self._withheld_times + 1 if stuck else 0
        if stuck:
            await asyncio.sleep(min(WITHHELD_PAUSE_S_MAX, WITHHELD_PAUSE_S * 2**self._withheld_times))

    async def _claim(self, now: datetime) -> tuple[int, list[Posted]]:
        """Decide over what is due, and write down the attempts before they are made."""
        async with self._context.database.transaction() as connection:
            tx = Paced(connection)
            brakes = self._brakes = await holding.standing(tx, self._name, now)
            due = await self._pacer.claim(tx, now, self._rules.batch_max)
            if not due:
                return 0, []
            claimed = await holding.passing(tx, self._name, due, brakes, now) if brakes else due
            blocked = await blocking.asked(connection, self._rules.listed, self._name, claimed)
            decided = [blocking.instead(self._decided(*one, now), blocked, now) for one in claimed]
            others = [change for change in decided if change.state != "posting"]
            going = await self._pacer.going([change for change in decided if change.state == "posting"], tx, now)
            posting = await self._written(claimed, going, others, now)
            over = await holding.over_rate(tx, [one.change.outreach for one in posting], self._rules.limits, now)
            posting = [one for one in posting if one.change.outreach.key not in over]
            if posting:
                posts = [(one.change, one.letter) for one in posting]
                await tx.post(posts, now, self.token, self._rules.lease)
            await holding.hold_over(tx, self._name, {tenant for tenant, _ in over}, now)
            if others:
                outcomes.emit(await tx.change(others, now), now, tx)
            await outbox.put(connection, self._context.source, tx.outgoing)
            crash.at("claim-before-commit")
        if others:  # what is only on its way now is nobody else's work
            self._tell(others)
        self._count(others)
        return len(due), posting

    def _decided(self, row: Outreach, contact: Contact | None, stops: domain.Stops, now: datetime) -> Change:
        """Decide over one row; our own mistake about one message must not hold up the others."""
        try:
            return choosing.consider(row, contact, stops, self._rules.hours, now)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this row's
            return self._mistaken(row, error, now)

    async def _written(
        self, claimed: Sequence[Claimed], going: Sequence[Change], others: list[Change], now: datetime
    ) -> list[Posted]:
        """Write the letters; what is wrong with a message is its own change among `others`, never the batch's."""
        ids = {id(change.outreach) for change in going}
        rows = [(row, contact, stops) for row, contact, stops in claimed if id(row) in ids]
        await self._writer.prepare(rows, now)
        posting = []
        for change, (row, contact, _) in zip(going, rows, strict=True):
            try:
                if contact is not None:  # nobody unknown is ever sent to
                    posting.append(Posted(change, self._writer.letter(row, contact, now), contact.zone))
            except Unsendable as error:
                others.append(choosing.unwritable(unsendable(row, error, now), now))
            except Exception as error:  # noqa: BLE001 - as above
                others.append(self._mistaken(row, error, now))
        return posting

    def _mistaken(self, row: Outreach, error: Exception, now: datetime) -> Change:
        LOG.error("letter_unwritable", where=fingerprint(error))  # a traceback may hold addresses
        return unsendable(row, Unsendable("unwritable", type(error).__name__), now)

    @asynccontextmanager
    async def _gate(self, letters: Sequence[Letter]) -> AsyncIterator[Collection[UUID]]:
        """Hold everything that could forbid these letters while their bodies are written; give those allowed."""
        async with self._pacer.turn(letters) as may_begin, self._context.database.transaction() as connection:
            rows = await gate.locked(connection, self.token, [letter.outreach_id for letter in letters])
            now = self._context.clock.now()
            shut = await blocking.shut(connection, self._rules.listed, self._name, rows, letters)
            passed = [one[0] for one in rows if self._allowed(*one, now) and may_begin(one[0])]
            allowed = Counter(row.outreach_id for row in passed if (row.tenant_id, row.outreach_id) not in shut)
            # Two tenants may have given the same id to different messages: then both must be allowed, or none is.
            wanted = Counter(letter.outreach_id for letter in letters)
            crash.at("gate-held")
            yield {outreach_id for outreach_id, number in wanted.items() if allowed[outreach_id] == number}

    def _allowed(self, row: Outreach, contact: Contact | None, stops: domain.Stops, now: datetime) -> bool:
        return domain.consider(row, contact, stops, self._rules.hours, now).state == "posting"

    async def _settle(self, posted: Sequence[Posted], answers: Sequence[Answer], lasted_s: float) -> None:
        """Write the answers down, waiting in place for as long as the database is away: they are all we know."""
        now = self._context.clock.now()
        rules = self._rules
        changes = [
            choosing.settled(tracing.attempted(one.change), answer, rules.doubt_wait, one.zone, rules.hours, now)
            for one, answer in zip(posted, answers, strict=True)
        ]
        told = [(one.change.outreach, answer) for one, answer in zip(posted, answers, strict=True)]
        blocked = self._pacer.unkept(told, now)
        stopped = blocking.refused(rules.listed, [(one.change.outreach, one.letter) for one in posted], answers, now)

        async def write() -> None:
            async with self._context.database.transaction() as connection:
                tx = Paced(connection)
                await blocking.keep(connection, stopped)
                effective[:] = await tx.change(changes, now, self.token)
                if blocked:
                    await tx.block(self._name, blocked)
                await holding.judged(tx, self._name, told, self._brakes, rules.limits, now)
                outcomes.emit(effective, now, tx)
                await outbox.put(connection, self._context.source, tx.outgoing)
                crash.at("settle-before-commit")

        effective: list[Change] = []
        await retry.in_place(write, lambda _error: True, self._failed)
        crash.at("settle-after-commit")
        self._context.traces.record(
            tracing.sent(change, before.change.outreach.traceparent, self._name, lasted_s)
            for before, change, answer in zip(posted, changes, answers, strict=True)
            if not isinstance(answer, Withheld)  # nothing was sent, and its number is given to the next attempt
        )
        self._tell(effective)
        self._count(effective)

    def _failed(self, error: BaseException, attempt: int) -> None:
        self._context.beat()  # these answers are all we know: nobody may take the waiting for death
        LOG.warning("settle_waits", error=label(error), attempt=attempt)

    def _tell(self, changes: Sequence[Change]) -> None:
        """Wake who has work now: mostly the relay alone, for each loop that looks in vain costs a transaction."""
        now = self._context.clock.now()  # a driven clock may have passed what was in the future when it was written
        due = any(change.next_due_at is not None and change.next_due_at <= now for change in changes)
        if due or self._brakes:
            self._context.committed()
        else:
            self._context.told()

    def _count(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._context.metrics.sends.labels("messenger", self._name, change.state, change.reason).inc()
