"""When a channel may be used where somebody's zone is unknown: RELIABILITY 7.10, the stricter rule."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from messenger import domain
from messenger.domain import Contact
from messenger.planning import choosing
from messenger.planning.hours import Hours, closes_at, opens_at, permitted_after
from messenger.settings import Settings
from tests.unit.messenger.test_bounce_effects import BASE, row

TEXTS = time(8), time(21)
ACME = {"acme": ("Europe/London", "America/New_York"), "*": ("Asia/Tokyo",)}
HOURS = Hours(*TEXTS, "UTC", ACME)
FAR_APART = Hours(*TEXTS, "UTC", {"acme": ("Europe/London", "America/New_York", "Asia/Tokyo")})
ZONES = ["Europe/London", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]


def at(text: str) -> datetime:
    """Read a moment of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ada(zone: str | None) -> Contact:
    return Contact("active", "Ada", "ada@example.org", zone, "en")


def considered(zone: str | None, now: datetime, **changes: Any) -> tuple[str, str, datetime | None]:
    """Consider a message that was never tried."""
    waiting = replace(row("due", attempt=0), useful_until=now + timedelta(days=30), not_before=now, **changes)
    change = domain.consider(waiting, ada(zone), {}, HOURS, now)
    return change.state, change.reason, change.next_due_at


@pytest.mark.parametrize(
    ("tenant", "zone", "zones"),
    [
        ("acme", "Asia/Kathmandu", ("Asia/Kathmandu",)),
        ("acme", None, ("Europe/London", "America/New_York")),
        ("acme", "Mars/Olympus", ("Europe/London", "America/New_York")),
        ("globex", None, ("Asia/Tokyo",)),
    ],
)
def test_zone_of_the_person_goes_before_those_of_the_tenant(tenant: str, zone: str | None, zones: Any) -> None:
    """RELIABILITY 7.10."""
    assert HOURS.zones(tenant, zone) == zones
    assert Hours(*TEXTS, "Europe/Paris").zones(tenant, None) == ("Europe/Paris",)


def test_text_to_an_unknown_zone_waits_until_it_is_permitted_in_all_zones_of_the_tenant() -> None:
    """RELIABILITY 7.10: at 08:00 in London it is 03:00 in New York; 21:00 in London is 16:00 there."""
    assert considered("Europe/London", at("2026-11-02T08:00"))[0] == "posting"
    assert considered(None, at("2026-11-02T08:00")) == ("due", "zone_unknown", at("2026-11-02T13:00"))
    assert considered(None, at("2026-11-02T13:00"))[0] == "posting"
    assert considered(None, at("2026-11-02T20:59"))[0] == "posting"
    assert considered(None, at("2026-11-02T21:00")) == ("due", "zone_unknown", at("2026-11-03T13:00"))


def test_tenant_with_one_zone_has_no_unknown_ones() -> None:
    """RELIABILITY 7.10: its zone is everybody's who has none; nothing is stricter then."""
    assert considered(None, at("2026-11-02T00:00"), tenant_id="globex")[0] == "posting"  # 09:00 in Tokyo
    shut = considered(None, at("2026-11-02T13:00"), tenant_id="globex")

    assert shut == ("due", "outside_hours", at("2026-11-02T23:00"))


def test_message_moves_on_where_the_zones_of_its_tenant_have_no_hour_in_common() -> None:
    """RELIABILITY 7.10; without another channel it waits for the person's record, and ends with this reason."""
    now = at("2026-11-02T09:00")
    alone = replace(row("due", attempt=0), plan=(), useful_until=now + timedelta(days=3))
    planned = replace(alone, plan=(domain.Leg("mail"),), channel="sms")
    waits = choosing.consider(alone, ada(None), {}, FAR_APART, now)
    moves = choosing.consider(planned, replace(ada(None), mobile="+447400000001"), {}, FAR_APART, now)
    ended = domain.forbidden(replace(alone, reason="no_common_hours"), ada(None), {}, alone.useful_until)

    assert (waits.state, waits.reason, waits.leg) == ("due", "no_common_hours", None)
    assert now < (waits.next_due_at or now) <= alone.useful_until
    assert (moves.state, moves.reason, moves.leg, moves.next_due_at) == (
        "due",
        "no_common_hours",
        domain.Leg("mail"),
        now,
    )
    assert choosing.lost([moves]) == []  # the zone is missed where the record comes in
    assert ended == "no_common_hours"


def test_minutes_to_an_answer_are_counted_only_where_all_zones_permit() -> None:
    """RELIABILITY 7.10: half an hour from 20:50 in London: ten minutes, then twenty from 13:00 on."""
    zones = HOURS.zones("acme", None)
    until = permitted_after(at("2026-11-02T20:50"), timedelta(minutes=30), zones, HOURS)

    assert until == at("2026-11-03T13:20")
    assert permitted_after(at("2026-11-02T20:50"), timedelta(1), FAR_APART.zones("acme", None), FAR_APART) is None


@settings(deadline=None)
@given(
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: at("2026-01-01") + timedelta(minutes=minutes)),
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=3, unique=True),
    st.integers(0, 23),
    st.integers(0, 23),
)
def test_opening_is_permitted_in_every_zone_and_nothing_before_it_is(
    moment: datetime, zones: list[str], opens: int, closes: int
) -> None:
    """RELIABILITY 7.10, by looking at each quarter of an hour, with clocks that change among them."""
    hours = Hours(time(opens), time(closes), "UTC")
    found = opens_at(moment, zones, hours)
    end = moment + timedelta(days=2) if found is None else found

    def permitted(instant: datetime) -> bool:
        walls = [instant.astimezone(ZoneInfo(zone)).hour for zone in zones]
        if opens == closes:
            return True
        return all((wall - opens) % 24 < (closes - opens) % 24 for wall in walls)

    steps = range(int((end - moment) / timedelta(minutes=15)) + 1)
    before = [moment + number * timedelta(minutes=15) for number in steps]
    assert not any(permitted(one) for one in before if one < end)
    if found is not None:
        assert permitted(found)
        assert closes_at(found, zones, hours) > found or opens == closes


@pytest.mark.parametrize("text", ["acme", "acme=", "acme=Mars/Olympus", "acme=UTC; acme=UTC", "Acme=UTC"])
def test_zones_that_nobody_knows_stop_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="tenant_zones"):
        Settings(**BASE, tenant_zones=text)


def test_zones_are_read_by_tenant() -> None:
    read = Settings(**BASE, tenant_zones="acme=Europe/London, America/New_York; *=Asia/Tokyo")

    assert read.tenant_zones == ACME
