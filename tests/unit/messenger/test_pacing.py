"""Which messages go at a provider's pace: whatever is in hand, never two in one interval."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messenger.domain import Change, Outreach
from messenger.limits.pacing import ACCOUNT, Held, Pace, allot, take

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
EACH = Pace(1.0, by_person=True)


def sending(number: int, person: str = "p1", tenant: str = "acme") -> Change:
    """Return a message that may be sent."""
    row = Outreach(
        tenant_id=tenant,
        outreach_id=UUID(int=number),
        person_id=person,
        about="a1",
        step="7",
        message="m",
        values={},
        ends_when=(),
        not_before=NOW,
        useful_until=NOW + timedelta(days=1),
        state="due",
        reason="",
        attempt=0,
    )
    return Change(row, "posting", "sending", attempt=1)


@given(st.lists(st.tuples(st.sampled_from(["acme", "bolt"]), st.sampled_from(["p1", "p2", "p3"])), max_size=40))
def test_first_message_of_each_person_goes_and_every_other_waits(whom: list[tuple[str, str]]) -> None:
    changes = [sending(number, person, tenant) for number, (tenant, person) in enumerate(whom)]
    found = allot(changes, {}, EACH, NOW)

    assert len(found.going) == len(set(whom))
    assert len(found.going) + len(found.waiting) == len(changes)
    assert found.going == [change for number, change in enumerate(changes) if whom[number] not in whom[:number]]
    assert set(found.free_at.values()) <= {NOW + timedelta(seconds=1)}


def test_scope_that_is_not_free_or_blocked_lets_nothing_pass_and_stays_as_it_is() -> None:
    later = NOW + timedelta(seconds=30)
    for held in (Held(later, None), Held(None, later), Held(NOW - timedelta(hours=1), later)):
        found = allot([sending(1)], {("acme", "p1"): held}, EACH, NOW)
        assert (found.going, found.free_at) == ([], {("acme", "p1"): later})


def test_account_that_is_blocked_holds_back_all_of_its_people_and_no_other_tenants() -> None:
    held = {("acme", ACCOUNT): Held(None, NOW + timedelta(minutes=1))}
    found = allot([sending(1), sending(2, "p2"), sending(3, tenant="bolt")], held, EACH, NOW)

    assert [change.outreach.tenant_id for change in found.going] == ["bolt"]


def test_fast_pace_lets_a_bursts_worth_go_together_and_keeps_its_rate() -> None:
    """Ten a second, in rounds of a quarter of one."""
    pace = Pace(0.1, by_person=False, burst_s=0.25)
    found = allot([sending(number, f"p{number}") for number in range(10)], {}, pace, NOW)

    assert len(found.going) == 3
    assert found.free_at == {("acme", ACCOUNT): NOW + timedelta(seconds=0.3)}


def test_rehearsal_lets_all_go_and_counts_what_would_have_waited() -> None:
    found = allot([sending(number) for number in range(5)], {}, Pace(1.0, by_person=True, waits=False), NOW)

    assert (len(found.going), found.waiting, found.paced) == (5, [], {("acme", "p1"): 4})


def test_burst_does_not_begin_before_what_the_provider_asked_for() -> None:
    """I10: a block that ends within the burst's second holds all the same."""
    burst = Pace(0.01, by_person=False, burst_s=1.0)
    for scope in (ACCOUNT, "p1"):
        pace = burst if scope == ACCOUNT else Pace(0.01, by_person=True, burst_s=1.0)
        held = {("acme", scope): Held(None, NOW + timedelta(seconds=0.5))}

        assert allot([sending(1)], held, pace, NOW).going == []
        assert allot([sending(1)], held, pace, NOW + timedelta(seconds=0.5)).going != []


def test_request_may_begin_an_interval_after_the_one_before_began_and_not_earlier() -> None:
    scope = ("acme", "p1")
    _, taken = take([scope], {}, {}, EACH, NOW)
    after = taken[scope].begin_after(NOW + timedelta(seconds=0.2), EACH)
    assert after == NOW + timedelta(seconds=1.2)

    held = {scope: Held(None, None, after)}
    assert take([scope], held, {}, EACH, after - timedelta(microseconds=1)) == ([False], {})
    assert take([scope, scope], held, {}, EACH, after)[0] == [True, False]


def test_request_that_did_not_begin_uses_its_own_moment_again() -> None:
    scope = ("acme", "p1")
    held = {scope: Held(None, None, NOW + timedelta(seconds=1))}

    assert take([scope], held, {scope: 1}, EACH, NOW)[0] == [True]


@given(st.lists(st.floats(min_value=0, max_value=2), max_size=60))
def test_no_second_has_more_than_twice_what_a_sender_may_and_the_rate_holds(waits: list[float]) -> None:
    """A burst is at most a second's worth; whatever follows it comes at the rate."""
    pace, scope, now = Pace(0.25, by_person=False, burst_s=0.75), ("acme", ACCOUNT), NOW
    held: dict[tuple[str, str], Held] = {}
    began: list[datetime] = []
    for wait_s in waits:
        now += timedelta(seconds=wait_s)
        may, taken = take([scope] * 6, held, {}, pace, now)
        began += [now for allowed in may if allowed]
        if taken:
            held[scope] = Held(None, None, taken[scope].begin_after(now, pace))
    for number, first in enumerate(began):
        for further, last in enumerate(began[number:], 1):
            assert further <= 4 + (last - first) / pace.interval + 1e-6


@pytest.mark.parametrize("scope", ["p1", ACCOUNT])
def test_request_does_not_begin_while_the_provider_wants_us_to_wait(scope: str) -> None:
    """I10."""
    held = {("acme", scope): Held(None, NOW + timedelta(seconds=1))}

    assert take([("acme", "p1")], held, {}, EACH, NOW) == ([False], {})
    assert take([("acme", "p1")], held, {}, EACH, NOW + timedelta(seconds=1))[0] == [True]
