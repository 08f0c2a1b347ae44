"""Folding facts: whatever the order and number of arrivals, the same assignment."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import reduce

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from duly_contracts.decode import Fact
from duly_contracts.training import TrainingEvent
from reminders.deadline import Deadline, Stamp, apply
from tests.unit.reminders.given import (
    ASSIGNED,
    DUE,
    assigned,
    at,
    completed,
    due_changed,
    progressed,
    withdrawn,
)

DAY = timedelta(days=1)


def fold(facts: list[Fact[TrainingEvent]]) -> Deadline:
    folded: Deadline | None = reduce(apply, facts, None)
    assert folded is not None
    return folded


@st.composite
def histories(draw: st.DrawFn) -> list[Fact[TrainingEvent]]:
    """Draw facts about one assignment, many at one instant; where some have numbers these follow time."""
    numbering = draw(st.sampled_from(["all", "none", "some"]))
    kinds = st.sampled_from(["assigned", "due", "completed", "withdrawn", "progressed"])
    history: list[Fact[TrainingEvent]] = []
    for n, kind in enumerate(draw(st.lists(kinds, min_size=1, max_size=8))):
        day = draw(st.integers(0, 5))
        when = ASSIGNED + day * DAY
        due = DUE + draw(st.integers(-40, 40)) * DAY
        number = {
            "all": draw(st.integers(0, 3)),
            "none": None,
            "some": draw(st.sampled_from([None, day])),
        }[numbering]
        if kind == "assigned":
            title = draw(st.sampled_from(["A", "B"]))
            history.append(assigned(f"e{n}", when, due, sequence=number, title=title))
        elif kind == "due":
            history.append(due_changed(f"e{n}", when, due, sequence=number))
        else:
            make = {"completed": completed, "withdrawn": withdrawn, "progressed": progressed}[kind]
            history.append(make(f"e{n}", when))
    return history


@given(histories(), st.data())
def test_apply_gives_the_same_deadline_when_facts_arrive_in_any_order_and_more_than_once(
    history: list[Fact[TrainingEvent]], data: st.DataObject
) -> None:
    arrivals = history + data.draw(st.lists(st.sampled_from(history), max_size=4))
    arrivals = data.draw(st.permutations(arrivals))

    assert fold(history) == fold(arrivals)


def test_assignment_is_watched_when_assigned() -> None:
    row = fold([assigned("e1")])

    assert (
        row.assigned_at,
        row.due_at,
        row.training_id,
        row.training_title,
    ) == (ASSIGNED, DUE, "t1", "Fire safety")
    assert Stamp(None, ASSIGNED, "e1") == row.due_stamp


def test_due_change_reaches_the_assigned_when_it_comes_later() -> None:
    """B-15: a later change of the due date reaches those already assigned."""
    row = fold([assigned("e1"), due_changed("e2", ASSIGNED + DAY, DUE + DAY)])

    assert row.due_at == DUE + DAY


def test_late_assignment_does_not_undo_a_due_change() -> None:
    """B-15, with the topics' disorder of up to 30 days."""
    row = fold([due_changed("e2", ASSIGNED + DAY, DUE + DAY), assigned("e1")])

    assert row.due_at == DUE + DAY
    assert row.assigned_at == ASSIGNED


def test_second_assignment_renews_date_and_title_but_not_the_beginning() -> None:
    row = fold([assigned("e1"), assigned("e2", ASSIGNED + DAY, DUE + DAY, title="Fire safety II")])

    assert (row.assigned_at, row.due_at, row.training_title) == (ASSIGNED, DUE + DAY, "Fire safety II")


@pytest.mark.parametrize("end", [completed, withdrawn])
def test_end_is_kept_when_it_arrives_before_the_assignment(
    end: Callable[[str, datetime], Fact[TrainingEvent]],
) -> None:
    row = fold([end("e2", ASSIGNED + DAY)])

    assert row.assigned_at is None
    assert (row.completed_at or row.withdrawn_at) == ASSIGNED + DAY
    assert fold([assigned("e1"), end("e2", ASSIGNED + DAY)]) == apply(row, assigned("e1"))


def test_earliest_end_is_kept_when_told_twice() -> None:
    row = fold([completed("e1", ASSIGNED + 2 * DAY), completed("e2", ASSIGNED + DAY)])

    assert row.completed_at == ASSIGNED + DAY


def test_progress_changes_nothing() -> None:
    assert fold([assigned("e1")]) == fold([assigned("e1"), progressed("e2", ASSIGNED + DAY)])


def test_fact_about_another_person_is_refused() -> None:
    with pytest.raises(ValueError, match="fact_of_another_assignment"):
        fold([assigned("e1"), assigned("e2", person_id="p2")])


EARLY, LATE = at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z")


@pytest.mark.parametrize(
    ("newer", "older", "why"),
    [
        (Stamp(2, EARLY, "a"), Stamp(1, LATE, "b"), "the source's number outranks time"),
        (Stamp(1, LATE, "a"), Stamp(1, EARLY, "b"), "equal numbers leave it to time"),
        (Stamp(None, LATE, "a"), Stamp(None, EARLY, "b"), "without numbers time decides"),
        (Stamp(None, LATE, "a"), Stamp(9, EARLY, "b"), "one number alone says nothing"),
        (Stamp(1, LATE, "a"), Stamp(None, EARLY, "b"), "one number alone says nothing"),
        (Stamp(None, EARLY, "b"), Stamp(None, EARLY, "a"), "at one instant the id decides"),
    ],
)
def test_stamp_is_newer_by_number_then_time_then_id(newer: Stamp, older: Stamp, why: str) -> None:
    assert newer.newer_than(older), why
    assert not older.newer_than(newer), why
    assert not newer.newer_than(newer)


STAMPS = st.builds(
    Stamp,
    st.one_of(st.none(), st.integers(0, 3)),
    st.sampled_from([datetime.fromisoformat(f"2026-01-0{d}T00:00:00+00:00") for d in range(1, 4)]),
    st.sampled_from("abc"),
)


@given(STAMPS, STAMPS)
def test_exactly_one_of_two_facts_is_newer(one: Stamp, other: Stamp) -> None:
    assume(one.event_id != other.event_id)

    assert one.newer_than(other) != other.newer_than(one)
