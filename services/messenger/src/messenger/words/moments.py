"""Moments as people read them: in the recipient's zone and locale, with the zone, and in UTC beside it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_gmt, get_timezone_name

from messenger.words.unsendable import BadValue

YEARS = range(1970, 2200)
NAMED_YEAR = 2026  # the year whose zones the pinned Babel knows by name
NO_TIME = timedelta(0)
SPOKEN_MAX = 4_096  # few deadlines, zones and locales are shared by many people


@dataclass(frozen=True, slots=True)
class Spoken:
    """A moment in words; templates put them together. `utc` is empty where the zone is UTC itself."""

    day: str
    time: str
    utc: str
    zone_known: bool


@lru_cache(maxsize=SPOKEN_MAX)
def spoken(instant: datetime, zone: str | None, locale: str | None) -> Spoken:
    """Say a moment; without a zone that we know it is said in UTC, and `zone_known` is false."""
    place, language = zone_of(zone), locale_of(locale)
    local = instant.astimezone(place or UTC)
    utc = instant.astimezone(UTC)
    day = _day(local, language)
    utc_day = _day(utc, language)
    utc_time = f"{format_time(utc, 'short', tzinfo=UTC, locale=language)} UTC"
    if place is None or zone_name(local, language) == "UTC":
        return Spoken(day, utc_time, "", zone_known=place is not None)
    time = f"{format_time(local, 'short', tzinfo=place, locale=language)} {zone_name(local, language)}"
    return Spoken(day, time, utc_time if day == utc_day else f"{utc_day}, {utc_time}", zone_known=True)


def days_between(earlier: datetime, later: datetime, zone: str | None) -> int:
    """Count midnights in the recipient's zone: what people mean by tomorrow, also when clocks change."""
    place = zone_of(zone) or UTC
    return (later.astimezone(place).date() - earlier.astimezone(place).date()).days


@lru_cache(maxsize=SPOKEN_MAX)
def instant_of(name: str, text: str) -> datetime:
    """Read an ISO 8601 instant with its zone; raises BadValue with the value's name."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise BadValue(name) from None
    if instant.tzinfo is None or instant.year not in YEARS:
        raise BadValue(name)
    return instant.astimezone(UTC)


@lru_cache(maxsize=1_024)
def zone_of(name: str | None) -> ZoneInfo | None:
    """Find a zone by its IANA name; None: we do not know it."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Europe" is a folder, others are too long
        return None


@lru_cache(maxsize=1_024)
def locale_of(name: str | None) -> Locale:
    """Find a locale by its BCP 47 name, or by as much of its beginning as we know; else English."""
    subtags = (name or "").replace("_", "-").split("-")[:8]
    while subtags and subtags != ["root"]:  # the root locale belongs to nobody
        try:
            return Locale.parse("-".join(subtags), sep="-")
        except (ValueError, UnknownLocaleError):
            subtags.pop()
    return Locale("en")


def known_locale(name: str) -> bool:
    """Tell whether a locale's language is one that we know."""
    return locale_of(name).language == name.replace("_", "-").split("-")[0].lower()


def zone_name(local: datetime, locale: Locale) -> str:
    """Name the zone as its people do, as GMT or MEZ; where no name is known or safe, by its offset."""
    name = str(get_timezone_name(local, width="short", locale=locale))
    if name[:1] not in "+-" and _names_hold(local):
        return name
    return str(get_timezone_gmt(local, "long", locale=locale)) if local.utcoffset() else "GMT"


def _names_hold(local: datetime) -> bool:
    """Tell whether the locale's names for this zone mean the offset it has at this moment.

    Babel names the zone as it is in NAMED_YEAR, and takes Irish winter for summer time (tzdata gives Ireland a
    negative one): "GMT" for Dublin in July would put every deadline there an hour off.
    """
    standard = _standard(local)
    return standard is not None and standard == _standard_offset(local.tzinfo, NAMED_YEAR)


@lru_cache(maxsize=1_024)
def _standard_offset(zone: tzinfo | None, year: int) -> timedelta | None:
    """Give the offset of a zone's ordinary time in a year; None where it changes, or summer time is negative."""
    months = [datetime(year, month, 15, tzinfo=zone) for month in range(1, 13)]
    offsets = {_standard(month) for month in months}
    return offsets.pop() if len(offsets) == 1 else None


def _standard(moment: datetime) -> timedelta | None:
    offset, summer = moment.utcoffset(), moment.dst() or NO_TIME
    return None if offset is None or summer < NO_TIME else offset - summer


def _day(moment: datetime, locale: Locale) -> str:
    return str(format_date(moment.date(), "long", locale=locale))
