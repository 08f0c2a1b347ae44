"""The asking loop: messages in doubt are leased, their provider is asked outside any transaction, the answer kept.

Two replicas never ask for the same message, because of the lease. A crash in between changes nothing: the lease
lapses, and it is asked again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from duly_chassis import crash, outbox
from duly_chassis.faults import fingerprint
from duly_chassis.logs import log
from duly_chassis.service import Context
from messenger.channel import Found, NotAsked, ReadBack, Sought
from messenger.domain import Outreach
from messenger.limits.paced import Paced
from messenger.limits.pacing import ACCOUNT, blocked_until
from messenger.planning.hours import Hours
from messenger.sending import outcomes
from messenger.sending.ledger import Ledger
from messenger.settling import doubts

BATCH_MAX = 32
ASKING_S_MAX = 45.0
"""How long a provider is waited for (machine clock); then it could not be asked."""

LEASE = timedelta(seconds=12)
RENEW_EVERY_S = 4.0
"""The lease is short, so that after a crash somebody else asks soon, and renewed while its owner lives."""

SPARE_S = 0.01
"""So much later than its lease ends is a message asked about again: the database's clock is another."""

LOG = log("asking")


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask, and what is needed to go on from the answer."""

    channel: str
    readback: ReadBack
    hours: Hours
    obeys: bool = True  # False in a rehearsal: a wish to wait is kept, and not waited for
    believed_after_s: float = 0
    """How long after a first "not there" the provider is asked once more (machine clock); 0: believed at once. A driven
    clock jumps over the time in which a provider, whose clock is the wall's, may still take a message."""


class Asker:
    """The loop of one channel."""

    def __init__(self, context: Context, asking: Asking) -> None:
        self._context = context
        self._asking = asking

    async def step(self) -> bool:
        """Ask for one batch of what is in doubt; True when there may be more."""
        now, token = self._context.clock.now(), uuid4()
        async with self._context.database.transaction() as connection:
            tx, name = Ledger(connection), self._asking.channel
            rows = await tx.claim_to_ask(name, now, BATCH_MAX, token, LEASE, obeys=self._asking.obeys)
        if not rows:
            return False
        crash.at("ask-claimed")
        answers = await self._asked(rows, token)
        crash.at("ask-answered")
        await self._settle(rows, answers, token)
        crash.at("ask-after-commit")
        return len(rows) == BATCH_MAX

    async def _asked(self, rows: Sequence[Outreach], token: UUID) -> list[Found]:
        """Ask, and hold the lease meanwhile."""
        asked = asyncio.create_task(self._found(rows))
        try:
            while not (await asyncio.wait([asked], timeout=RENEW_EVERY_S))[0]:
                self._context.beat()
                async with self._context.database.transaction() as connection:
                    await Ledger(connection).renew_asked(rows, token, LEASE)
        finally:
            asked.cancel()
        return await asked

    async def _found(self, rows: Sequence[Outreach]) -> list[Found]:
        """Ask; whatever goes wrong, nothing was learnt."""
        sought = [
            Sought(row.tenant_id, row.outreach_id, row.address, row.first_posted_at)
            for row in rows
            if row.first_posted_at is not None
        ]
        try:
            async with asyncio.timeout(ASKING_S_MAX):
                answers = iter(await self._asking.readback.find(sought))
            return [NotAsked("never_posted") if row.first_posted_at is None else next(answers) for row in rows]
        except TimeoutError:
            return [NotAsked("ask_timeout") for _ in rows]
        except Exception as error:  # noqa: BLE001 - an adapter's mistake leaves everything as it was
            LOG.error("ask_failed", channel=self._asking.channel, where=fingerprint(error))  # noqa: TRY400
            return [NotAsked("ask_failed") for _ in rows]

    async def _settle(self, rows: Sequence[Outreach], answers: Sequence[Found], token: UUID) -> None:
        """Write down what was learnt of rows that are still in doubt and ours; what fails here is asked again."""
        now, hours, wait_s = self._context.clock.now(), self._asking.hours, self._asking.believed_after_s
        async with self._context.database.transaction() as connection:
            tx = Paced(connection)
            zones = await tx.zones([(row.tenant_id, row.person_id) for row in rows])
            changes = [
                doubts.found(row, answer, zones.get((row.tenant_id, row.person_id)), hours, now, twice=wait_s > 0)
                for row, answer in zip(rows, answers, strict=True)
            ]
            effective = await tx.change(changes, now, asking=token)
            until = blocked_until([*zip(rows, answers, strict=True)], now)
            if accounts := {key: at for key, at in until.items() if key[1] == ACCOUNT}:
                await tx.block(self._asking.channel, accounts)
            early = [change.outreach for change in effective if change.reason == doubts.TOO_EARLY]
            await tx.renew_asked(early, token, timedelta(seconds=wait_s))  # nobody asks again before
            outcomes.emit(effective, now, tx)
            await outbox.put(connection, self._context.source, tx.outgoing)
        self._context.committed()
        if early:
            asyncio.get_running_loop().call_later(wait_s + SPARE_S, self._context.wake.set)
        for change in effective:
            labels = "messenger", self._asking.channel, change.state, change.reason
            self._context.metrics.sends.labels(*labels).inc()
