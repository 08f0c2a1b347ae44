"""How fast a provider may be used: which of the messages in hand may go now; facts and `now` in, decisions out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from messenger.channel import Answer, Found, NotAsked, RefusedForNow
from messenger.domain import Change, Outreach

ACCOUNT = ""
"""The scope of all that a tenant sends over a channel."""

SPREAD_MAX = 10_000
"""So many waiting messages of one scope get their moments at once, beside the sending."""

SPREAD_AT_CLAIM_MAX = 32
"""So many of one person's get theirs in the claim that met them; more would keep what others are sent waiting."""

Key = tuple[str, str]
"""Tenant and scope: a person, or the account."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a provider takes: one message in `interval_s` for each scope; 0: as fast as we can."""

    interval_s: float
    by_person: bool  # or by the tenant's account, whose sender is one
    burst_s: float = 0.0  # messages of so much time may go together, where the interval is shorter than a round
    waits: bool = True  # False in a rehearsal: counted, and sent all the same

    @property
    def interval(self) -> timedelta:
        """The time between two messages."""
        return timedelta(seconds=self.interval_s)

    def scope(self, row: Outreach) -> Key:
        """Return what a message shares its pace with."""
        return row.tenant_id, row.person_id if self.by_person else ACCOUNT


@dataclass(frozen=True, slots=True)
class Held:
    """What the store knows of one scope."""

    free_at: datetime | None
    blocked_until: datetime | None
    begin_after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Allotted:
    """Which messages go, and of the scopes in hand when each is free again."""

    going: list[Change]
    waiting: list[Change]
    free_at: Mapping[Key, datetime]
    paced: Mapping[Key, int]  # messages that wait, or in a rehearsal would have waited


def allot(changes: Sequence[Change], held: Mapping[Key, Held], pace: Pace, now: datetime) -> Allotted:
    """Let one message of each scope go whose moment has come, the first ones first; the others wait.

    A scope's next free moment moves on with what really goes, so that after an outage nothing leaves in a burst.
    """
    going: list[Change] = []
    waiting: list[Change] = []
    free_at: dict[Key, datetime] = {}
    paced: dict[Key, int] = {}
    for change in changes:
        scope = pace.scope(change.outreach)
        if scope not in free_at:
            free_at[scope] = _begins(scope, held, now)
        late = _blocked(scope, held, now) or free_at[scope] > now + timedelta(seconds=pace.burst_s)
        if late:
            paced[scope] = paced.get(scope, 0) + 1
        if late and pace.waits:
            waiting.append(change)
        else:
            going.append(change)
            free_at[scope] += pace.interval
    return Allotted(going, waiting, free_at, paced)


@dataclass(frozen=True, slots=True)
class Taken:
    """A scope's next moments, taken by requests that are about to begin: `number` from `start` on."""

    start: datetime
    number: int

    def begin_after(self, begun_at: datetime, pace: Pace) -> datetime:
        """Return before which moment the scope's next request may not begin, if these had begun by `begun_at`."""
        return max(self.start, begun_at) + self.number * pace.interval


def take(
    asking: Sequence[Key], held: Mapping[Key, Held], back: Mapping[Key, int], pace: Pace, now: datetime
) -> tuple[list[bool], dict[Key, Taken]]:
    """Say of each request whether it may begin now, and what those that may take of their scopes.

    This is where the pace is kept: at a claim nobody knows when a request will begin. `back` counts the moments of a
    scope that its requests had taken before, and did not use.
    """
    may: list[bool] = []
    taken: dict[Key, Taken] = {}
    for scope in asking:
        known = held.get(scope)
        if scope not in taken:
            after = None if known is None else known.begin_after
            start = now if after is None else max(now, after - back.get(scope, 0) * pace.interval)
            taken[scope] = Taken(start, 0)
        one = taken[scope]
        free = one.start + one.number * pace.interval <= now + timedelta(seconds=pace.burst_s)
        may.append(free and not _blocked(scope, held, now))
        if may[-1]:
            taken[scope] = Taken(one.start, one.number + 1)
    return may, {scope: one for scope, one in taken.items() if one.number}


def blocked_until(told: Sequence[tuple[Outreach, Answer | Found]], now: datetime) -> dict[Key, datetime]:
    """Return for whom a provider wants us to wait, and until when."""
    until: dict[Key, datetime] = {}
    for row, answer in told:
        if isinstance(answer, RefusedForNow | NotAsked) and answer.after_s:
            key = row.tenant_id, ACCOUNT if answer.scope == "account" else row.person_id
            until[key] = max(until.get(key, now), now + timedelta(seconds=answer.after_s))
    return until


def _blocked(scope: Key, held: Mapping[Key, Held], now: datetime) -> bool:
    """Tell whether the provider asked a scope or its account to wait: that leaves no room for a burst."""
    asked = [held[key].blocked_until for key in {scope, (scope[0], ACCOUNT)} if key in held]
    return any(until is not None and until > now for until in asked)


def _begins(scope: Key, held: Mapping[Key, Held], now: datetime) -> datetime:
    """Return when the next message of a scope may go: neither before its own moment nor before the account's."""
    known = [now]
    for key in {scope, (scope[0], ACCOUNT)}:
        if key in held:
            moments = held[key].free_at, held[key].begin_after, held[key].blocked_until
            known += [at for at in moments if at is not None and at > now]
    return max(known)
