"""The pace of one sending loop's channel: asked at the claim, kept at the gate, and told what the provider said.

A claim only plans: it takes of each scope what may go in this interval. At the gate, before any byte leaves, the next
moment of the scope is taken in the database, for all replicas; once it has left, the moment is put right. So no two
requests of a scope begin less than its interval apart, whoever sends them, and whoever dies in between.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

from duly_chassis.faults import label
from duly_chassis.logs import log
from duly_chassis.service import Context
from messenger.channel import Answer, Gate, Letter
from messenger.domain import Change, Outreach
from messenger.limits.paced import BEGINS_WITHIN, Ours, Paced
from messenger.limits.pacing import ACCOUNT, Key, Pace, Taken, blocked_until
from messenger.sending.claims import Claimed

WAKE_S_MIN, WAKE_S_MAX = 0.005, 30.0
SPREAD_AFTER_S = 5.0
"""So long (machine clock) the claims pass over what waits for people, while others are sent theirs."""

LOG = log("pace")

RowKey = tuple[str, UUID]
"""Tenant and outreach."""


@dataclass(frozen=True, slots=True)
class Door:
    """The gate, and who hears each answer as soon as it is there."""

    gate: Gate
    hears: Callable[[Letter, Answer], None]

    def __call__(self, letters: Sequence[Letter], /) -> AbstractAsyncContextManager[Collection[UUID]]:
        """Return the gate for these letters, not yet entered."""
        return self.gate(letters)

    def heard(self, letter: Letter, answer: Answer) -> None:
        """Take an answer, before the others of its wave are there."""
        self.hears(letter, answer)


class Pacer:
    """What one sending loop knows of its channel's pace; without a pace it lets everything pass."""

    def __init__(self, context: Context, channel: str, pace: Pace | None) -> None:
        self._context = context
        self._channel = channel
        self._pace = pace
        self._behind: dict[Key, datetime] = {}  # scopes whose waiting messages are still to be spread
        self._behind_s = 0.0  # machine clock: since when
        self._behind_at = datetime.max.replace(tzinfo=UTC)  # business clock: what was due by then
        self._idle = False
        self._untold = False  # of `_behind`, to whoever spreads
        self._rows: dict[UUID, list[Outreach]] = {}  # of the wave; two tenants may have the same id
        self._slots: set[RowKey] = set()  # whose moment was taken
        self._after: dict[Key, datetime] = {}  # what we wrote last of each scope
        self._wishes: dict[Key, datetime] = {}  # Retry-After, as told in this wave
        self._kept: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def claim(self, tx: Paced, now: datetime, limit: int) -> list[Claimed]:
        """Claim what is due, but not of scopes that have so much waiting that it is still to be spread."""
        self._idle = False
        if not self._behind:
            return await tx.claim(self._channel, now, limit)
        return await tx.claim_beside(self._channel, now, limit, [*self._behind], self._behind_at)

    async def going(self, changes: list[Change], tx: Paced, now: datetime) -> list[Change]:
        """Return those that may go at the provider's pace; the others have their moments, or `spread` gives them."""
        if self._pace is None or not changes:
            return changes
        found, behind = await tx.allotted(self._channel, changes, self._pace, now)
        if behind and not self._behind:
            self._behind_s = monotonic()
        if behind:
            self._behind_at, self._untold = now, True
        self._behind |= behind
        self._context.metrics.paced.labels("messenger", self._channel).inc(sum(found.paced.values()))
        return found.going

    async def spread(self) -> bool:
        """Give what waits its moments, once all others have been sent what they are: ten thousand take a while."""
        behind, pace = dict(self._behind), self._pace
        if not behind or pace is None:
            return False
        if pace.by_person and not self._idle and monotonic() - self._behind_s < SPREAD_AFTER_S:
            return False
        async with self._context.database.transaction() as connection:
            await Paced(connection).spread(self._channel, behind, pace, self._context.clock.now())
        for key in behind:
            self._behind.pop(key)
        self._context.committed()  # the sender knows only now when to look again
        return False

    async def wake_for_next(self, now: datetime) -> None:
        """Have the loop look again when the next message is due: a pace is finer than the loop's own interval."""
        if self._pace is None:
            return
        self._idle = True
        if self._untold:
            self._untold = False
            self._context.committed()
        async with self._context.database.transaction() as connection:
            due_at = await Paced(connection).next_due(self._channel, now)
        if due_at is not None:
            wait_s = (due_at - self._context.clock.now()).total_seconds()
            if wait_s <= WAKE_S_MAX:
                asyncio.get_running_loop().call_later(max(wait_s, WAKE_S_MIN), self._context.wake.set)

    def begin(self, gate: Gate, rows: Iterable[Outreach]) -> Gate:
        """Return the gate of a wave of these messages."""
        if self._pace is None:
            return gate
        self._rows = {}
        for row in rows:
            self._rows.setdefault(row.outreach_id, []).append(row)
        self._slots, self._after, self._wishes, self._kept = set(), {}, {}, set()
        return Door(gate, self._heard)

    @asynccontextmanager
    async def turn(self, letters: Sequence[Letter]) -> AsyncIterator[Callable[[Outreach], bool]]:
        """Say which of these requests may begin now, and keep when they have begun; held around the gate."""
        pace = self._pace
        if pace is None or not pace.waits:
            yield lambda _row: True
            return
        await self.finished()  # what was told, and when those before them began
        free, taken = await self._take(letters, pace)
        yield lambda row: row.key in free and not self._wished(row)
        begun_at = self._context.clock.now()  # the last byte has left
        after = {key: (self._after[key], one.begin_after(begun_at, pace)) for key, one in taken.items()}
        self._after |= {key: at for key, (_, at) in after.items()}
        if after:
            self._start(self._begun(after))

    async def _take(self, letters: Sequence[Letter], pace: Pace) -> tuple[set[RowKey], dict[Key, Taken]]:
        asking = [(row, pace.scope(row)) for row in map(self._row, letters) if row is not None]
        unused = Counter(scope for row, scope in asking if row.key in self._slots)
        ours = {scope: Ours(self._after[scope], unused[scope]) for _, scope in asking if scope in self._after}
        async with self._context.database.transaction() as connection:
            now = self._context.clock.now()
            may, taken = await Paced(connection).take(self._channel, [key for _, key in asking], ours, pace, now)
        self._after |= {key: one.begin_after(now + BEGINS_WITHIN, pace) for key, one in taken.items()}
        free = {row.key for (row, _), allowed in zip(asking, may, strict=True) if allowed}
        self._slots |= free
        return free, taken

    def _row(self, letter: Letter) -> Outreach | None:
        rows = self._rows.get(letter.outreach_id, ())
        return next((row for row in rows if letter.note is None or row.tenant_id == letter.note.tenant_id), None)

    def _wished(self, row: Outreach) -> bool:
        """Tell whether the provider has just asked to wait with this message."""
        asked = [self._wishes[key] for key in _scopes(row) if key in self._wishes]
        return bool(asked) and max(asked) > self._context.clock.now()

    def _heard(self, letter: Letter, answer: Answer) -> None:
        row = self._row(letter)
        if row is None:
            return
        until = blocked_until([(row, answer)], self._context.clock.now())
        if until:
            self._wishes |= {key: max(at, self._wishes.get(key, at)) for key, at in until.items()}
            self._start(self._block(until))

    async def _block(self, until: Mapping[Key, datetime]) -> None:
        async with self._context.database.transaction() as connection:
            await Paced(connection).block(self._channel, until)
        self._kept |= until.keys()

    async def _begun(self, after: Mapping[Key, tuple[datetime, datetime]]) -> None:
        async with self._context.database.transaction() as connection:
            await Paced(connection).begun(self._channel, after)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        """Note what failed: a wish is then kept with the answers, and the latest begin stands."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            LOG.warning("pace_not_kept", error=label(error))

    async def finished(self) -> None:
        """Wait until everything that was told of this wave is kept, or could not be."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def unkept(self, told: Sequence[tuple[Outreach, Answer]], now: datetime) -> dict[Key, datetime]:
        """Return the wishes to wait that are not kept yet: nobody told them before, or the database was away."""
        if self._pace is None:
            return {}
        wishes = blocked_until(told, now) | self._wishes
        return {key: until for key, until in wishes.items() if key not in self._kept}


def _scopes(row: Outreach) -> tuple[Key, Key]:
    return (row.tenant_id, row.person_id), (row.tenant_id, ACCOUNT)
