"""When each step of a policy is due: days before a deadline, at an hour of the recipient's. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from duly_chassis.wallclock import ONE_DAY, instant_of
from reminders.deadline import Deadline

ZONE_DAYS = 2  # a local date lies within one day of the UTC date; a gap in local time can add another


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How long before a deadline people hear of it, and at which hour of theirs."""

    version: str
    offsets_days: tuple[int, ...]
    local_hour: int
    local_minute: int = 0
    default_zone: str


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step is due: at the recipient's hour, at or soon after the threshold."""

    step: str  # days ahead, as text
    threshold: datetime
    at: datetime


def moments(deadline: Deadline, policy: Policy, zone: str) -> tuple[Moment, ...]:
    """List when each step is due, earliest first.

    A moment before the assignment is never made up for, one at or after the deadline would tell nothing.
    Where two steps fall on one moment (clocks going back, a skipped date) the one nearer to the deadline
    speaks and the other never comes: nobody hears the same thing twice in a minute.
    """
    if deadline.assigned_at is None or deadline.due_at is None:
        return ()
    by_instant: dict[datetime, Moment] = {}
    for days in sorted(policy.offsets_days, reverse=True):
        threshold = deadline.due_at - timedelta(days=days)
        at = _first_local_hour(threshold, zone, policy.local_hour, policy.local_minute)
        if deadline.assigned_at <= at < deadline.due_at:
            by_instant[at] = Moment(str(days), threshold, at)
    return tuple(by_instant.values())  # larger offsets come first and `at` never runs backwards


def occurrence(step: str, due_at: datetime) -> str:
    """Name the telling of a step about a due date.

    A changed date is a new occurrence, so people hear of it; a date that moves back is the old one again,
    so nobody hears twice.
    """
    return f"{step}@{due_at.astimezone(UTC).date().isoformat()}"


def _first_local_hour(threshold: datetime, zone: str, hour: int, minute: int) -> datetime:
    """Find the first hour:minute on a wall clock of the zone at or after the threshold."""
    around = _local_hours(zone, threshold.date(), hour, minute)
    return next(at for at in around if at >= threshold)


@lru_cache(maxsize=16_384)
def _local_hours(zone: str, day: date, hour: int, minute: int) -> tuple[datetime, ...]:
    """List hour:minute of the zone on the days around a UTC date; many deadlines share few dates and zones."""
    days = range(-ZONE_DAYS, ZONE_DAYS + 1)
    return tuple(sorted({instant_of(zone, day + n * ONE_DAY, hour, minute) for n in days}))
