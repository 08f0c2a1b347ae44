"""Wall clocks of people where clocks change: RELIABILITY 7.4."""

from datetime import date, datetime

import pytest

from duly_chassis.wallclock import instant_of, zone_exists

CASES = {
    "ordinary": ("Europe/London", (2026, 1, 15), (9, 0), "2026-01-15T09:00"),
    "summer": ("Europe/London", (2026, 7, 15), (9, 0), "2026-07-15T08:00"),
    "skipped: first valid after the gap": ("America/New_York", (2026, 3, 8), (2, 30), "2026-03-08T07:00"),
    "repeated: the earlier": ("America/New_York", (2026, 11, 1), (1, 30), "2026-11-01T05:30"),
    "half hour gap": ("Australia/Lord_Howe", (2026, 10, 4), (2, 15), "2026-10-03T15:30"),
    "gap at midnight": ("Africa/Cairo", (2026, 4, 24), (0, 30), "2026-04-23T22:00"),
    "date that does not exist": ("Pacific/Apia", (2011, 12, 30), (9, 0), "2011-12-30T19:00"),
    "fourteen hours ahead": ("Pacific/Kiritimati", (2026, 1, 1), (9, 0), "2025-12-31T19:00"),
    "odd quarter": ("Asia/Kathmandu", (2026, 1, 1), (9, 0), "2026-01-01T03:15"),
}


@pytest.mark.parametrize(("zone", "day", "hour", "instant"), CASES.values(), ids=CASES)
def test_wall_time_becomes_the_instant_the_rule_says(
    zone: str, day: tuple[int, int, int], hour: tuple[int, int], instant: str
) -> None:
    """B-18, C7."""
    assert instant_of(zone, date(*day), *hour) == datetime.fromisoformat(f"{instant}+00:00")


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "Europe", "../etc/passwd", "x" * 300, "Europe/London\x00"])
def test_zone_nobody_knows_is_told_apart_without_an_exception(name: str) -> None:
    """SECURITY 9: it comes from strangers, so it may be anything."""
    assert zone_exists(name) is False


def test_known_zone_is_known() -> None:
    assert zone_exists("Europe/London") is True
