"""When a channel may be used: permitted hours on wall clocks (RELIABILITY 7.4, 7.10). Pure: instants in, instants out.

Whose zone is not known is written to only when every zone of the tenant permits it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from whenever import Instant

from duly_chassis.wallclock import instant_of, zone_exists

SEARCH = timedelta(days=14)
"""So far ahead an opening is looked for: zones may have no hour in common, or only in a part of the year."""

EVERYBODY = "*"
"""Instead of a tenant's name: all that are not named."""


@dataclass(frozen=True, slots=True)
class Hours:
    """When a channel may be used, on the recipient's wall clock; `opens` inclusive, `closes` exclusive."""

    opens: time
    closes: time
    default_zone: str
    tenant_zones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def zones(self, tenant_id: str, zone: str | None) -> tuple[str, ...]:
        """Return the zones that must all permit: the person's own, else all of the tenant's, else the default."""
        if zone is not None and zone_exists(zone):
            return (zone,)
        return self.tenant_zones.get(tenant_id) or self.tenant_zones.get(EVERYBODY) or (self.default_zone,)


def opens_at(moment: datetime, zones: Sequence[str], hours: Hours) -> datetime | None:
    """Return the first instant at or after `moment` at which the hours are open in all these zones.

    Hours may span midnight. A skipped opening counts from the first valid time after the gap, a repeated one
    from the earlier. None: the zones have no hour in common for as long as SEARCH.
    """
    found = moment
    while found - moment <= SEARCH:
        opening = max(_opens_in(found, zone, hours) for zone in zones)
        if opening == found:
            return found
        found = opening
    return None


def permitted_after(since: datetime, wait: timedelta, zones: Sequence[str], hours: Hours) -> datetime | None:
    """Return when so much time has passed inside the permitted hours; real time, also when clocks change.

    It lies inside the hours: what ends with the last permitted second is due at the next opening. None: never.
    """
    moment = opens_at(since, zones, hours)
    if moment is None or hours.opens == hours.closes:
        return moment and moment + wait
    left = wait
    while (open_for := closes_at(moment, zones, hours) - moment) <= left:
        left -= open_for
        moment = opens_at(moment + open_for, zones, hours)
        if moment is None:
            return None
    return moment + left


def closes_at(moment: datetime, zones: Sequence[str], hours: Hours) -> datetime:
    """Return when the hours that are open at `moment` close in the first of these zones."""
    return min(_closes_in(moment, zone, hours) for zone in zones)


def _opens_in(moment: datetime, zone: str, hours: Hours) -> datetime:
    local = Instant(moment).to_tz(zone)
    wall = local.time().to_stdlib()
    if hours.opens <= hours.closes:
        is_open = hours.opens <= wall < hours.closes
    else:
        is_open = wall >= hours.opens or wall < hours.closes
    if is_open or hours.opens == hours.closes:
        return moment
    day = local.date().to_stdlib() + (timedelta(0) if wall < hours.opens else timedelta(days=1))
    return instant_of(zone, day, hours.opens.hour, hours.opens.minute)


def _closes_in(moment: datetime, zone: str, hours: Hours) -> datetime:
    """Return the first instant after `moment` with the closing wall time."""
    local = Instant(moment).to_tz(zone)
    wall, day = local.time().to_stdlib(), local.date().to_stdlib()
    if wall >= hours.closes:
        day += timedelta(days=1)
    closing = instant_of(zone, day, hours.closes.hour, hours.closes.minute)
    if closing > moment:
        return closing
    left = datetime.combine(day, hours.closes) - datetime.combine(day, wall)  # the hour that is there twice, again
    return moment + left
