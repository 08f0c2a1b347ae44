"""Each step whose moment came leaves a decision: asked for, or withheld with its reason."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reminders.deadline import Deadline, apply
from reminders.domain import Decision, Person, plan, remind, zone_for
from reminders.schedule import Policy, moments, occurrence
from tests.unit.reminders.given import ACTIVE, ASSIGNED, DUE, POLICY, at, deadline, due_changed

DAY = timedelta(days=1)
MOMENTS = {
    "30": at("2026-01-31T09:00:00Z"),
    "14": at("2026-02-16T09:00:00Z"),
    "3": at("2026-02-27T09:00:00Z"),
}
TOLD = {step: occurrence(step, DUE) for step in MOMENTS}


def said(decisions: list[Decision]) -> list[tuple[str, bool, str]]:
    return [(decision.step, decision.speak, decision.reason) for decision in decisions]


def play(row: Deadline, person: Person | None, policy: Policy = POLICY) -> list[tuple[datetime, str, str]]:
    """Look at the row whenever it asks to be looked at, until it has nothing more to say."""
    decided: set[str] = set()
    story = []
    row = plan(row, policy, zone_for(person, policy), decided)
    while row.next_due_at is not None:
        now = row.next_due_at
        decisions, row = remind(row, person, policy, decided, now)
        assert decisions, "a claimed row decides something"
        for decision in decisions:
            assert row.due_at is not None
            decided.add(occurrence(decision.step, row.due_at))
            story.append((now, decision.step, decision.reason))
    return story


def test_open_assignment_hears_30_14_and_3_days_ahead() -> None:
    """G-09: once each, at the recipient's nine o'clock."""
    assert [(MOMENTS[step], step, "moment_reached") for step in ("30", "14", "3")] == play(deadline(), ACTIVE)


def test_completed_on_day_ten_gets_no_3_day_mail() -> None:
    """G-09, B-01: complete ten days ahead; the 3-day step is withheld at its moment, with its reason."""
    row = replace(deadline(), completed_at=DUE - 10 * DAY)
    decisions, after = remind(row, ACTIVE, POLICY, [TOLD["30"], TOLD["14"]], MOMENTS["3"])

    assert said(decisions) == [("3", False, "completed")]
    assert after.next_due_at is None


@pytest.mark.parametrize(
    ("row", "person", "now", "reason"),
    [
        (replace(deadline(), completed_at=ASSIGNED + DAY), ACTIVE, MOMENTS["3"], "completed"),
        (replace(deadline(), withdrawn_at=ASSIGNED + DAY), ACTIVE, MOMENTS["3"], "withdrawn"),
        (deadline(), None, DUE, "recipient_unknown"),
        (deadline(), Person("departed", "Europe/London"), MOMENTS["3"], "person_departed"),
        (deadline(), Person("on_leave", "Europe/London"), MOMENTS["3"], "person_on_leave"),
        (deadline(), ACTIVE, DUE, "deadline_passed"),
        (deadline(), ACTIVE, DUE - timedelta(seconds=1), "moment_reached"),
        # several reasons: what ended it, the earlier end first; then the person, then the calendar
        (replace(deadline(), completed_at=ASSIGNED, withdrawn_at=ASSIGNED + DAY), None, DUE, "completed"),
        (replace(deadline(), completed_at=ASSIGNED + DAY, withdrawn_at=ASSIGNED), None, DUE, "withdrawn"),
    ],
)
def test_silence_has_a_reason(row: Deadline, person: Person | None, now: datetime, reason: str) -> None:
    """B-01, B-02, B-03, B-10: who hears nothing finds out why."""
    decisions, _ = remind(row, person, POLICY, [TOLD["30"], TOLD["14"]], now)

    assert [("3", reason == "moment_reached", reason)] == said(decisions)


def test_step_waits_for_the_recipients_record_while_it_can_still_be_useful() -> None:
    """B-03: topics overtake each other; the record of a person may come after the moment, and then they are told."""
    told = [TOLD["30"]]
    silent, waiting = remind(deadline(), None, POLICY, told, MOMENTS["14"])
    spoken, _ = remind(plan(waiting, POLICY, "Europe/London", told), ACTIVE, POLICY, told, MOMENTS["14"] + DAY)

    assert silent == []
    assert waiting.next_due_at == MOMENTS["3"]
    assert said(spoken) == [("14", True, "moment_reached")]


def test_step_that_waited_is_withheld_when_the_next_one_comes_and_nobody_is_known() -> None:
    """B-10: at the next moment, and at last at the deadline, the silence gets its reason."""
    earlier, waiting = remind(deadline(), None, POLICY, [TOLD["30"]], MOMENTS["3"])
    last, after = remind(waiting, None, POLICY, [TOLD["30"], TOLD["14"]], DUE)

    assert said(earlier) == [("14", False, "recipient_unknown")]
    assert waiting.next_due_at == DUE
    assert said(last) == [("3", False, "recipient_unknown")]
    assert after.next_due_at is None


def test_only_the_latest_speaks_when_several_moments_came_in_an_outage() -> None:
    """B-04, B-10, RELIABILITY 7.11: one reminder helps, three annoy; the others say they were superseded."""
    decisions, after = remind(deadline(), ACTIVE, POLICY, (), MOMENTS["3"] + timedelta(hours=5))

    assert said(decisions) == [
        ("30", False, "superseded"),
        ("14", False, "superseded"),
        ("3", True, "moment_reached"),
    ]
    assert after.next_due_at is None


def test_all_are_withheld_for_one_reason_when_nobody_is_to_hear() -> None:
    row = replace(deadline(), completed_at=MOMENTS["3"])
    decisions, _ = remind(row, ACTIVE, POLICY, (), MOMENTS["3"] + DAY)

    assert {"completed"} == {decision.reason for decision in decisions}


def test_nothing_is_decided_before_its_moment_and_the_next_look_is_planned() -> None:
    decisions, after = remind(deadline(), ACTIVE, POLICY, (), MOMENTS["30"] - timedelta(seconds=1))

    assert decisions == []
    assert MOMENTS["30"] == after.next_due_at


def test_step_is_decided_once_when_looked_at_twice() -> None:
    """B-05, B-06: two schedulers, one decision."""
    decisions, after = remind(deadline(), ACTIVE, POLICY, [TOLD["30"]], MOMENTS["30"])

    assert decisions == []
    assert MOMENTS["14"] == after.next_due_at


def test_changed_due_date_is_told_anew_and_a_date_moved_back_is_not_told_twice() -> None:
    """B-15 and B-05."""
    moved = apply(deadline(), due_changed("e2", ASSIGNED + DAY, DUE + 60 * DAY))
    decided = set(TOLD.values())
    decisions, _ = remind(moved, ACTIVE, POLICY, decided, at("2026-04-01T08:00:00Z"))

    assert said(decisions) == [("30", True, "moment_reached")]

    back = apply(moved, due_changed("e3", ASSIGNED + 2 * DAY, DUE))
    decisions, after = remind(back, ACTIVE, POLICY, decided, MOMENTS["3"] + DAY)

    assert decisions == []
    assert after.next_due_at is None


def test_deadline_moved_close_is_told_at_once_by_the_step_it_now_stands_in() -> None:
    """B-15: the moments of the new date lie in the past; one of them speaks, and none is lost in silence."""
    near = apply(deadline(), due_changed("e2", ASSIGNED + DAY, at("2026-02-01T23:59:59Z")))
    now = at("2026-01-20T12:00:00Z")
    planned = plan(near, POLICY, "Europe/London", ())
    decisions, after = remind(planned, ACTIVE, POLICY, (), now)

    assert planned.next_due_at is not None
    assert planned.next_due_at <= now
    assert said(decisions) == [("30", False, "superseded"), ("14", True, "moment_reached")]
    assert at("2026-01-30T09:00:00Z") == after.next_due_at


def test_recipient_who_moved_hears_at_the_new_place() -> None:
    """B-21, B-22: the zone is read again when the moment comes."""
    row = plan(deadline(), POLICY, "Europe/London", ())
    assert row.next_due_at is not None
    decisions, after = remind(row, Person("active", "America/New_York"), POLICY, (), row.next_due_at)

    assert decisions == []
    assert ("America/New_York", at("2026-01-31T14:00:00Z")) == (after.zone, after.next_due_at)


@pytest.mark.parametrize("zone", [None, "", "Mars/Olympus", "../../etc/passwd", "\x00", "x" * 64])
def test_unknown_zone_counts_as_the_policys_own(zone: str | None) -> None:
    assert zone_for(Person("active", zone), POLICY) == "Europe/London"
    assert zone_for(None, POLICY) == "Europe/London"


def test_running_case_keeps_its_steps_when_the_policy_is_edited() -> None:
    """B-16: what is decided depends on the version that is passed, and the row names it."""
    edited = replace(POLICY, version="v2", offsets_days=(7,))

    assert [step for _, step, _ in play(deadline(), ACTIVE)] == ["30", "14", "3"]
    assert [step for _, step, _ in play(deadline(), ACTIVE, edited)] == ["7"]
    assert remind(deadline(), ACTIVE, edited, (), ASSIGNED)[1].policy_version == "v2"


def test_decision_carries_what_the_rule_looked_at() -> None:
    """B-10: the values are enough to answer why without asking any other table."""
    row = replace(deadline(), completed_at=at("2026-02-20T10:00:00Z"))
    (decision,) = remind(row, ACTIVE, POLICY, [TOLD["30"], TOLD["14"]], MOMENTS["3"])[0]

    assert decision.values == {
        "assigned_at": "2026-01-01T00:00:00Z",
        "due_at": "2026-03-01T23:59:59Z",
        "completed_at": "2026-02-20T10:00:00Z",
        "threshold": "2026-02-26T23:59:59Z",
        "now": "2026-02-27T09:00:00Z",
        "zone": "Europe/London",
        "person_status": "active",
    }
    assert MOMENTS["3"] == decision.moment


ROWS = st.builds(
    lambda assigned, due, done, gone: replace(
        deadline(assigned=ASSIGNED + assigned * DAY, due=ASSIGNED + due * DAY),
        completed_at=None if done is None else ASSIGNED + done * DAY,
        withdrawn_at=None if gone is None else ASSIGNED + gone * DAY,
    ),
    st.integers(0, 40),
    st.integers(0, 90),
    st.one_of(st.none(), st.integers(0, 90)),
    st.one_of(st.none(), st.integers(0, 90)),
)
PEOPLE = st.one_of(
    st.none(),
    st.builds(
        Person,
        st.sampled_from(["active", "on_leave", "departed"]),
        st.sampled_from(["Asia/Kathmandu", "Pacific/Apia", None]),
    ),
)


@given(ROWS, PEOPLE, st.lists(st.integers(0, 120 * 24), max_size=6).map(sorted))
def test_every_moment_is_decided_exactly_once_however_often_and_late_the_row_is_looked_at(
    row: Deadline, person: Person | None, looks: list[int]
) -> None:
    """B-03, B-05, B-10: none lost, none twice, at most one message per look, each with a reason."""
    decided: list[str] = []
    for hours in [*looks, 24 * 365]:
        now = ASSIGNED + timedelta(hours=hours)
        decisions, row = remind(row, person, POLICY, decided, now)
        assert sum(decision.speak for decision in decisions) <= 1
        assert all(decision.speak == (decision.reason == "moment_reached") for decision in decisions)
        assert row.next_due_at is None or row.next_due_at > now
        assert row.due_at is not None
        decided += [occurrence(decision.step, row.due_at) for decision in decisions]
        if row.completed_at or row.withdrawn_at or person is None or person.status != "active":
            assert not any(decision.speak for decision in decisions)

    assert row.due_at is not None
    expected = [occurrence(m.step, row.due_at) for m in moments(row, POLICY, zone_for(person, POLICY))]
    assert sorted(expected) == sorted(decided)
