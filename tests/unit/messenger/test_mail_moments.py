"""Moments in mails: the recipient's zone and locale, the zone's name, and the days that are left."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo, available_timezones

import pytest
from babel import Locale

from messenger.words.moments import zone_name
from tests.unit.messenger.given_mails import (
    ANN,
    PEOPLE,
    WRITER,
    a_request,
    check_golden,
    due_line,
    part,
)

NUMBERS = {"today": 31, "1-day": 30, "2-days": 29, "passed": 32}


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_days_left_read_as_reviewed_in(locale: str) -> None:
    """Whole sentences for today, one day and several, by the plural rules of the language."""
    zone = ZoneInfo(str(PEOPLE[locale].zone))
    due = datetime(2014, 1, 31, 17, tzinfo=zone)
    said = [
        f"{number}\n{part(WRITER.write(a_request(PEOPLE[locale], now=now, due_at=due.isoformat())), 'plain')}"
        for number, day in NUMBERS.items()
        for now in [datetime(2014, 1, 1, 9, tzinfo=zone) + timedelta(days=day - 1)]
    ]

    check_golden(f"deadline-reminder.numbers.{locale}.txt", "\n".join(said))


DUE_LINES = [
    ("Europe/London", "en-GB", "31 January 2014 at 23:59 GMT (23:59 UTC)"),
    ("Europe/Dublin", "en-IE", "31 January 2014 at 23:59 GMT (23:59 UTC)"),
    ("Europe/Dublin", "en-GB", "31 January 2014 at 23:59 GMT (23:59 UTC)"),
    ("Europe/Berlin", "de-DE", "am 1. Februar 2014 um 00:59 MEZ (31. Januar 2014, 23:59 UTC)"),
    ("Asia/Tokyo", "ja-JP", "February 1, 2014 at 8:59 AM GMT+09:00 (January 31, 2014, 11:59 PM UTC)"),
    ("Asia/Kolkata", "en-IN", "1 February 2014 at 5:29 am GMT+05:30 (31 January 2014, 11:59 pm UTC)"),
    ("Asia/Kolkata", "en-GB", "1 February 2014 at 05:29 GMT+05:30 (31 January 2014, 23:59 UTC)"),
    ("UTC", "en-GB", "31 January 2014 at 23:59 UTC"),
    ("Europe/London", None, "January 31, 2014 at 11:59 PM GMT (11:59 PM UTC)"),
    ("Europe/London", "no such locale!", "January 31, 2014 at 11:59 PM GMT (11:59 PM UTC)"),
    ("Europe/London", "root", "January 31, 2014 at 11:59 PM GMT (11:59 PM UTC)"),
    ("Europe/London", "de-DE-u-co-phonebk", "am 31. Januar 2014 um 23:59 GMT (23:59 UTC)"),
    ("Europe/London", "../../etc/passwd", "January 31, 2014 at 11:59 PM GMT (11:59 PM UTC)"),
]


@pytest.mark.parametrize(("zone", "locale", "line"), DUE_LINES)
def test_deadline_is_said_in_the_recipients_zone_and_locale_with_the_zone(
    zone: str, locale: str | None, line: str
) -> None:
    """B-18, B-22: no time without its zone, and never the server's zone."""
    letter = WRITER.write(a_request(replace(ANN, zone=zone, locale=locale)))

    assert line == due_line(letter).replace("\u202f", " ")


@pytest.mark.parametrize(
    "zone", [None, "", "Mars/Olympus", "Europe", "../../etc/passwd", "Europe/London\0", "x" * 9_999]
)
def test_deadline_is_said_in_utc_and_the_mail_says_so_when_the_zone_is_unknown(zone: str | None) -> None:
    letter = WRITER.write(a_request(replace(ANN, zone=zone)))

    assert due_line(letter) == "31 January 2014 at 23:59 UTC"
    for kind in ("plain", "html"):
        assert "We do not know your time zone" in part(letter, kind)


@pytest.mark.parametrize(
    ("due_at", "line"),
    [
        ("2014-07-31T22:59:00Z", "31 July 2014 at 23:59 BST (22:59 UTC)"),
        ("2014-06-30T23:59:00Z", "1 July 2014 at 00:59 BST (30 June 2014, 23:59 UTC)"),
        ("2014-03-30T00:59:59Z", "30 March 2014 at 00:59 GMT (00:59 UTC)"),
        ("2014-03-30T01:00:00Z", "30 March 2014 at 02:00 BST (01:00 UTC)"),
    ],
)
def test_deadline_follows_daylight_saving_at_its_own_date(due_at: str, line: str) -> None:
    """B-20."""
    assert line == due_line(WRITER.write(a_request(due_at=due_at)))


def test_name_of_a_zone_means_one_offset_wherever_it_is_shown() -> None:
    """B-18: Babel alone calls Dublin's July GMT, and names 2014's zones as they are today."""
    zones = [ZoneInfo(name) for name in sorted(available_timezones()) if "/" in name]
    for locale in map(Locale.parse, ("en", "en_GB", "de", "fr")):
        offsets: dict[str, set[timedelta | None]] = defaultdict(set)
        for zone, year, month in product(zones, (2014, 2027), (1, 7)):
            local = datetime(year, month, 15, 12, tzinfo=zone)
            offsets[zone_name(local, locale)].add(local.utcoffset())

        assert [name for name, found in offsets.items() if len(found) > 1] == []


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (datetime(2014, 1, 17, 9, tzinfo=UTC), "That is in 14 days."),
        (datetime(2014, 1, 30, 23, tzinfo=UTC), "That is tomorrow."),
        (datetime(2014, 1, 31, 0, tzinfo=UTC), "That is today."),
    ],
)
def test_days_left_are_midnights_in_the_recipients_zone(now: datetime, sentence: str) -> None:
    """B-19: tomorrow is tomorrow where the recipient is."""
    letter = WRITER.write(a_request(now=now))

    assert sentence in part(letter, "plain")
    assert sentence in part(letter, "html")


def test_nothing_is_said_of_days_left_when_the_deadline_has_passed() -> None:
    letter = WRITER.write(a_request(now=datetime(2014, 2, 3, tzinfo=UTC)))

    assert "That is" not in part(letter, "plain") + part(letter, "html")


def test_deadline_in_dublin_is_an_hour_from_gmt_in_summer() -> None:
    """B-18."""
    letter = WRITER.write(a_request(replace(ANN, zone="Europe/Dublin"), due_at="2014-07-31T22:59:00Z"))

    assert due_line(letter) == "31 July 2014 at 23:59 GMT+01:00 (22:59 UTC)"
