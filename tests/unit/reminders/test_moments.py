"""When a step is due: at the recipient's hour, whatever clocks and calendars do there."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reminders.domain import plan
from reminders.schedule import Moment, Policy, moments, occurrence
from tests.unit.reminders.given import POLICY, at, deadline

DAY = timedelta(days=1)
STEP = timedelta(minutes=15)  # no zone of today changes by less, or lies between
ZONES = [
    *("Africa/Cairo", "Africa/Casablanca", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi"),
    *("America/Anchorage", "America/Argentina/Buenos_Aires", "America/Asuncion", "America/Bogota"),
    *("America/Caracas", "America/Chicago", "America/Denver", "America/Halifax", "America/Havana"),
    *("America/Los_Angeles", "America/Mexico_City", "America/New_York", "America/Noronha"),
    *("America/Nuuk", "America/Phoenix", "America/Santiago", "America/Sao_Paulo", "America/Scoresbysund"),
    *("America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Dubai", "Asia/Hong_Kong"),
    *("Asia/Jerusalem", "Asia/Kabul", "Asia/Kathmandu", "Asia/Kolkata", "Asia/Seoul", "Asia/Tehran"),
    *("Asia/Tokyo", "Atlantic/Azores", "Australia/Adelaide", "Australia/Eucla", "Australia/Lord_Howe"),
    *("Australia/Sydney", "Europe/Berlin", "Europe/Dublin", "Europe/Istanbul", "Europe/London"),
    *("Europe/Moscow", "Pacific/Apia", "Pacific/Chatham", "Pacific/Honolulu", "Pacific/Kiritimati"),
    *("Pacific/Marquesas", "Pacific/Pago_Pago", "UTC"),
]


def policy(*offsets_days: int, hour: int = 9, minute: int = 0) -> Policy:
    return Policy(version="v1", offsets_days=offsets_days, local_hour=hour, local_minute=minute, default_zone="UTC")


def first(threshold: str, zone: str, hour: int, minute: int = 0) -> datetime:
    """Return the moment of the step whose threshold is this instant."""
    due = at(threshold) + 5 * DAY
    row = deadline(assigned=due - 60 * DAY, due=due)
    (moment,) = moments(row, policy(5, hour=hour, minute=minute), zone)
    assert at(threshold) == moment.threshold
    return moment.at


def test_shipped_steps_come_at_nine_of_london_30_14_and_3_days_ahead() -> None:
    """G-09 and X-02: the deadline is a UTC instant, the moments are the recipient's mornings."""
    row = deadline(assigned=at("2026-01-01T00:00:00Z"), due=at("2026-04-28T23:59:59Z"))

    assert (
        Moment("30", at("2026-03-29T23:59:59Z"), at("2026-03-30T08:00:00Z")),
        Moment("14", at("2026-04-14T23:59:59Z"), at("2026-04-15T08:00:00Z")),
        Moment("3", at("2026-04-25T23:59:59Z"), at("2026-04-26T08:00:00Z")),
    ) == moments(row, POLICY, "Europe/London")


@pytest.mark.parametrize(
    ("threshold", "zone", "hour", "minute", "expected"),
    [
        # the threshold itself may be the moment; a second later is tomorrow
        ("2026-01-10T09:00:00Z", "Europe/London", 9, 0, "2026-01-10T09:00:00Z"),
        ("2026-01-10T09:00:01Z", "Europe/London", 9, 0, "2026-01-11T09:00:00Z"),
        # London, spring 2026-03-29 01:00 -> 02:00: 01:30 does not exist, 02:00 is the first valid time
        ("2026-03-28T12:00:00Z", "Europe/London", 1, 30, "2026-03-29T01:00:00Z"),
        ("2026-03-28T12:00:00Z", "Europe/London", 9, 0, "2026-03-29T08:00:00Z"),
        # London, autumn 2026-10-25 02:00 -> 01:00: 01:30 twice, the earlier counts
        ("2026-10-24T12:00:00Z", "Europe/London", 1, 30, "2026-10-25T00:30:00Z"),
        ("2026-10-25T00:30:01Z", "Europe/London", 1, 30, "2026-10-26T01:30:00Z"),
        # New York, spring 2026-03-08 and autumn 2026-11-01
        ("2026-03-07T23:00:00Z", "America/New_York", 2, 30, "2026-03-08T07:00:00Z"),
        ("2026-03-07T23:00:00Z", "America/New_York", 9, 0, "2026-03-08T13:00:00Z"),
        ("2026-10-31T23:00:00Z", "America/New_York", 1, 30, "2026-11-01T05:30:00Z"),
        ("2026-10-31T23:00:00Z", "America/New_York", 9, 0, "2026-11-01T14:00:00Z"),
        # Samoa had no 2011-12-30: the next day, at the hour and not at midnight
        ("2011-12-29T20:00:00Z", "Pacific/Apia", 9, 0, "2011-12-30T19:00:00Z"),
        ("2011-12-30T09:59:59Z", "Pacific/Apia", 0, 0, "2011-12-30T10:00:00Z"),
        # a quarter-hour zone, and the earliest one
        ("2026-05-01T00:00:00Z", "Asia/Kathmandu", 9, 0, "2026-05-01T03:15:00Z"),
        ("2026-12-31T23:59:59Z", "Pacific/Kiritimati", 9, 0, "2027-01-01T19:00:00Z"),
        # clocks that go forward at midnight, and one whose gap ends on the next day
        ("2026-04-23T00:00:00Z", "Africa/Cairo", 0, 30, "2026-04-23T22:00:00Z"),
        ("2026-03-28T12:00:00Z", "America/Nuuk", 23, 30, "2026-03-29T01:00:00Z"),
        ("2026-03-29T01:00:00Z", "America/Nuuk", 23, 30, "2026-03-29T01:00:00Z"),
    ],
)
def test_moment_is_the_first_local_hour_at_or_after_the_threshold(
    threshold: str, zone: str, hour: int, minute: int, expected: str
) -> None:
    """B-18, B-20, B-21, B-22 and RELIABILITY 7.4: edges are decided by rule, not by luck."""
    assert at(expected) == first(threshold, zone, hour, minute)


def oracle(threshold: datetime, zone: str, hour: int) -> datetime:
    """Watch the wall clock, knowing nothing of rules, until it first reaches or jumps over the hour."""
    moment = datetime.fromtimestamp(-(-threshold.timestamp() // 900) * 900, UTC)
    while True:
        now, before = wall(moment, zone), wall(moment - STEP, zone)
        for wanted in (before.replace(hour=hour, minute=0), now.replace(hour=hour, minute=0)):
            if before < wanted <= now and wanted not in {wall(moment - n * STEP, zone) for n in range(1, 13)}:
                return moment
        moment += STEP


def wall(moment: datetime, zone: str) -> datetime:
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def changes(zone: str) -> list[datetime]:
    """List the days of 2024 to 2026 on which the zone's clocks change."""
    days = [datetime(2024, 1, 1, tzinfo=UTC) + n * DAY for n in range(3 * 365)]
    return [day for day in days if wall(day + DAY, zone) - wall(day, zone) != DAY]


@pytest.mark.parametrize("zone", ZONES)
def test_mail_hour_is_never_off_over_a_year_in_any_zone(zone: str) -> None:
    """B-18, B-20, B-21: nine in the morning on the wall, on each day of 2026."""
    thresholds = [datetime(2026, 1, 1, 6, 30, tzinfo=UTC) + n * DAY for n in range(365)]
    walls = {first(t.isoformat(), zone, 9).astimezone(ZoneInfo(zone)).strftime("%H:%M") for t in thresholds}

    assert {"09:00"} == walls


@given(
    threshold=st.integers(0, 50 * 365 * 86_400).map(lambda s: at("1990-01-01T00:00:00Z") + timedelta(seconds=s)),
    zone=st.sampled_from(ZONES),
    hour=st.integers(0, 23),
    minute=st.sampled_from([0, 15, 30, 59]),
)
def test_moment_is_never_before_its_threshold_and_at_most_a_day_after(
    threshold: datetime, zone: str, hour: int, minute: int
) -> None:
    """B-19: nothing is told too early; a day has 25 hours when clocks go back, 26 at Troll."""
    moment = first(threshold.isoformat(), zone, hour, minute)
    skipped_date = zone in {"Pacific/Apia", "Pacific/Kiritimati"} and threshold.year in {1994, 1995, 2011}

    assert timedelta(0) <= moment - threshold <= timedelta(hours=49 if skipped_date else 26)


CHANGES = {zone: changes(zone) or [at("2026-02-28T00:00:00Z")] for zone in ZONES}


@settings(max_examples=400)
@given(
    case=st.sampled_from(ZONES).flatmap(lambda zone: st.tuples(st.just(zone), st.sampled_from(CHANGES[zone]))),
    hour=st.integers(0, 23),
    seconds=st.integers(-86_400, 2 * 86_400),
)
def test_moment_agrees_with_a_search_of_the_wall_clock_around_every_change_of_clocks(
    case: tuple[str, datetime], hour: int, seconds: int
) -> None:
    """B-18, B-20: an oracle that shares no code and no library finds the same instant."""
    zone, day = case
    threshold = day + timedelta(seconds=seconds)

    assert oracle(threshold, zone, hour) == first(threshold.isoformat(), zone, hour)


def test_step_before_the_assignment_is_not_made_up_for() -> None:
    row = deadline(assigned=at("2026-02-20T10:00:00Z"), due=at("2026-03-01T23:59:59Z"))

    assert [moment.step for moment in moments(row, POLICY, "Europe/London")] == ["3"]


def test_step_counts_when_assigned_at_its_very_moment() -> None:
    row = deadline(assigned=at("2026-02-27T09:00:00Z"), due=at("2026-03-01T23:59:59Z") - DAY)

    assert [m.step for m in moments(row, POLICY, "Europe/London")] == []

    row = deadline(assigned=at("2026-02-26T09:00:00Z"), due=at("2026-03-01T23:59:59Z") - DAY)

    assert [m.step for m in moments(row, POLICY, "Europe/London")] == ["3"]


def test_step_at_or_after_the_deadline_never_comes() -> None:
    """B-19: the last morning may be the deadline itself, and then says nothing."""
    row = deadline(assigned=at("2026-01-01T00:00:00Z"), due=at("2026-02-02T09:00:00Z"))

    assert at("2026-02-01T09:00:00Z") == moments(row, policy(1), "Europe/London")[0].at

    row = deadline(assigned=at("2026-01-01T00:00:00Z"), due=at("2026-03-30T08:00:00Z"))

    assert moments(row, policy(1), "Asia/Tokyo")[1:] == ()
    assert moments(deadline(due=at("2025-12-01T00:00:00Z")), POLICY, "UTC") == ()


def test_nearer_step_wins_when_two_fall_on_one_moment() -> None:
    """One morning in Samoa stands for two dates; nobody hears the same thing twice in a minute."""
    row = deadline(assigned=at("2011-11-01T00:00:00Z"), due=at("2012-01-02T18:30:00Z"))
    both = moments(row, policy(4, 3), "Pacific/Apia")

    assert [("3", at("2011-12-30T19:00:00Z"))] == [(m.step, m.at) for m in both[-1:]]


def test_assignment_without_beginning_or_deadline_has_no_moments_and_no_plan() -> None:
    for row in (deadline(assigned=None), deadline(due=None)):
        assert moments(row, POLICY, "UTC") == ()
        assert plan(row, POLICY, "UTC", ()).next_due_at is None
        assert plan(row, POLICY, "UTC", ()).policy_version == ""


def test_plan_looks_at_the_earliest_undecided_moment() -> None:
    row = deadline(due=at("2026-03-01T23:59:59Z"))
    decided: set[str] = set()
    looks = []
    for step in ("30", "14", "3"):
        looks.append(plan(row, POLICY, "Europe/London", decided).next_due_at)
        decided.add(occurrence(step, at("2026-03-01T23:59:59Z")))

    assert [at("2026-01-31T09:00:00Z"), at("2026-02-16T09:00:00Z"), at("2026-02-27T09:00:00Z")] == looks
    assert plan(row, POLICY, "Europe/London", decided).next_due_at is None


def test_plan_keeps_zone_and_policy_version_of_the_case() -> None:
    """B-16: the row says which version it runs on."""
    planned = plan(deadline(), POLICY, "Asia/Tokyo", ())

    assert (planned.zone, planned.policy_version) == ("Asia/Tokyo", "v1")


def test_occurrence_names_the_step_and_the_utc_date_of_the_deadline() -> None:
    assert occurrence("14", at("2026-03-02T00:59:59+02:00")) == "14@2026-03-01"
