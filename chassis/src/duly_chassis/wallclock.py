"""Wall clocks of people: a local date and time to the instant it stands for, decided by rule (RELIABILITY 7.4).

Pure: the zone data is whenever's, there is no I/O and no clock here, so that domains may use it.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache

from whenever import PlainDateTime, RepeatedTime, SkippedTime, TimeZoneNotFoundError, ZonedDateTime

ONE_DAY = timedelta(days=1)


def instant_of(zone: str, day: date, hour: int, minute: int) -> datetime:
    """Turn a wall time into a UTC instant.

    Repeated: the earlier. Skipped: the first valid time after the gap. Whole date skipped: the next day's.
    """
    wall = PlainDateTime(day.year, day.month, day.day, hour, minute)
    try:
        return _utc(wall.assume_tz(zone, disambiguation="raise"))
    except RepeatedTime:
        return _utc(wall.assume_tz(zone, disambiguation="earlier"))
    except SkippedTime:
        after_gap = wall.assume_tz(zone, disambiguation="earlier").next_transition()
    if after_gap is None:  # a skipped time has a transition; this is for the type checker and for broken data
        raise ValueError("zone_data_broken")
    midnight = PlainDateTime(day.year, day.month, day.day)
    if after_gap.date() > wall.date() and midnight.assume_tz(zone, disambiguation="later").date() > wall.date():
        return instant_of(zone, day + ONE_DAY, hour, minute)
    return _utc(after_gap)


@lru_cache(maxsize=1_024)
def zone_exists(zone: str) -> bool:
    """Tell whether the zone is one we have data for."""
    try:
        ZonedDateTime(2026, 1, 1, tz=zone, disambiguation="earlier")
    except TimeZoneNotFoundError:
        return False
    return True


def _utc(moment: ZonedDateTime) -> datetime:
    return moment.to_instant().to_stdlib()
