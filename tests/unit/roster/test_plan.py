"""What a file does to a roster, decided without a database: joins, leaves, changes, findings and brakes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roster import sheet
from roster.brake import Limits
from roster.csv_file import Dialect
from roster.domain import Plan, Roster, plan
from roster.record import Known, Record
from tests.support.rosters import HEADER, file, people

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 4, 1, 12, tzinfo=UTC)
NOBODY = Roster({}, None)
EVERYTHING = Limits(10**9, 100, 100)


def planned(
    roster: Roster, rows: Sequence[str], header: str = HEADER, *, complete: bool = True, limits: Limits | None = None
) -> Plan:
    """Plan a file of these rows."""
    read = sheet.read(file(rows, header), Dialect())
    return plan(roster, read, complete=complete, limits=limits or Limits(), now=NOW)


def after(roster: Roster, done: Plan, *, complete: bool = True) -> Roster:
    """Return the roster as the plan leaves it."""
    changed = {one.record.person_id: Known(one.record, one.version, one.fold) for one in done.changes}
    return Roster({**roster.people, **changed}, done.good_rows if complete else roster.last_rows)


def here(rows: Sequence[str], header: str = HEADER) -> Roster:
    """Return the roster that these rows make of nobody."""
    return after(NOBODY, planned(NOBODY, rows, header, limits=EVERYTHING))


def kinds(done: Plan) -> dict[str, str]:
    return {one.record.person_id: one.kind for one in done.changes}


def brakes(done: Plan) -> list[str]:
    return [brake.code for brake in done.brakes]


def row(person_id: str = "e-1", **cells: str) -> str:
    return ",".join(cells.get(name, "") if name != "person_id" else person_id for name in HEADER.split(","))


def test_everybody_joins_an_empty_roster() -> None:
    done = planned(NOBODY, people(3))

    assert (done.counts, done.unchanged, brakes(done)) == ({"joins": 3}, 0, [])
    assert done.changes[0].record.since == datetime(2020, 1, 1, tzinfo=UTC)


def test_same_file_again_changes_nothing() -> None:
    done = planned(here(people(30)), people(30))

    assert (done.changes, done.unchanged, done.brakes) == ((), 30, ())


def test_changed_name_or_address_is_the_same_person() -> None:
    """B-38: people are told apart by the id of HR, never by what changes."""
    before = here(people(30))
    (change,) = planned(before, [*people(29), row("e-30", name="Ann Wed", mail="wed@people.example")]).changes

    assert (change.kind, change.version) == ("changes", 2)
    assert {"name", "mail"} <= set(change.fields)


def test_who_is_missing_leaves_only_when_the_file_is_complete() -> None:
    """G-24: below the brake they depart, and their history stays."""
    before = here(people(100))

    assert kinds(planned(before, people(97))) == {"e-98": "leaves", "e-99": "leaves", "e-100": "leaves"}
    assert kinds(planned(before, people(97), complete=False)) == {}


def test_who_comes_back_returns_as_the_same_person() -> None:
    gone = after(here(people(100)), planned(here(people(100)), people(99)))
    (change,) = planned(gone, people(100)).changes

    assert (change.kind, change.record.status, change.record.since, change.version) == ("returns", "active", NOW, 3)


def test_who_had_left_before_is_kept_without_having_joined() -> None:
    done = planned(NOBODY, [*people(3), row("e-9", left_on="2025-12-31", status="departed")])

    assert kinds(done)["e-9"] == "past"
    assert next(one.record.since for one in done.changes if one.kind == "past") == datetime(2025, 12, 31, tzinfo=UTC)


def test_column_that_is_not_there_keeps_and_an_empty_cell_clears() -> None:
    before = here(people(3))
    (change,) = planned(
        before, ["e-1,", "e-2,n@people.example", "e-3,e3@people.example"][1:2], "person_id,mail", complete=False
    ).changes
    cleared = planned(before, ["e-1,"], "person_id,mail", complete=False).changes

    assert (change.record.name, change.record.mail, change.fields) == ("Person 2", "n@people.example", ("mail",))
    assert [(one.record.mail, one.record.name) for one in cleared] == [(None, "Person 1")]


def test_who_is_on_leave_stays_so_unless_the_file_says_otherwise() -> None:
    """B-40: a file without a status column says nothing about leave."""
    before = here([row("e-1", status="on_leave"), *people(2, start=2)])

    assert planned(before, ["e-1,"], "person_id,team", complete=False).changes == ()
    assert kinds(planned(before, [row("e-1")], complete=False)) == {"e-1": "changes"}


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ({"hired_on": "2024-05-02", "left_on": "2024-05-01"}, "hired_after_left"),
        ({"left_on": "2026-02-27", "status": "active"}, "left_already"),
        ({"left_on": "2026-03-02", "status": "departed"}, "not_left_yet"),
    ],
)
def test_row_that_contradicts_the_calendar_is_refused(cells: dict[str, str], code: str) -> None:
    """Hired after left, and a status against its dates; the others go in."""
    done = planned(NOBODY, [*people(2, start=5), row("e-1", **cells)])

    assert [(one.line, one.code) for one in done.refused] == [(4, code)]
    assert kinds(done) == {"e-5": "joins", "e-6": "joins"}


@pytest.mark.parametrize("status", ["", "active"])
def test_last_day_of_work_is_still_one_of_work(status: str) -> None:
    (change,) = planned(NOBODY, [row("e-1", left_on="2026-03-01", status=status)]).changes

    assert change.record.status == "active"


def test_status_follows_from_a_last_day_that_has_passed() -> None:
    assert kinds(planned(here(people(30)), [row("e-30", left_on="2026-02-28")], complete=False)) == {"e-30": "leaves"}


@pytest.mark.parametrize("slip", ["E-2", "e - 2", "e-2 "])
def test_id_that_differs_from_somebody_heres_by_case_or_spaces_makes_no_second_profile(slip: str) -> None:
    """B-38; and whoever the refused row is about is not missing from the file."""
    done = planned(here(people(3)), [*people(1), row(slip, name="Person 2"), *people(1, start=3)])

    if slip.strip() == "e-2":
        assert not done.refused
    else:
        assert [(one.line, one.column, one.code) for one in done.refused] == [(3, "person_id", "id_alike")]
        assert done.changes == ()


def test_whoever_a_refused_row_is_about_has_not_left() -> None:
    done = planned(here(people(3)), [*people(2), row("e-3", mail="none")])

    assert (done.changes, done.refused_rows) == ((), 1)


def test_nobody_is_missing_while_a_refused_row_could_be_about_anybody() -> None:
    done = planned(here(people(100)), [*people(98), row("", name="Who?")])

    assert done.changes == ()
    assert [one.code for one in done.findings if one.line == 0] == ["departures_withheld"]


def test_odd_managers_are_taken_and_found() -> None:
    """S-23: a circle, one's own manager, an unknown one, one who left; deep chains cost no stack."""
    rows = [
        row("a", manager_id="b"),
        row("b", manager_id="c"),
        row("c", manager_id="a"),
        row("d", manager_id="a"),
        row("e", manager_id="e"),
        row("f", manager_id="nobody"),
        row("g", manager_id="h"),
        row("h", status="departed"),
        *(row(f"n{number}", manager_id=f"n{number + 1}") for number in range(3000)),
        row("n3000"),
    ]
    done = planned(NOBODY, rows)

    assert len(done.changes) == len(rows)
    assert [(one.line, one.code) for one in done.findings] == [
        (2, "manager_circle"),
        (3, "manager_circle"),
        (4, "manager_circle"),
        (6, "own_manager"),
        (7, "manager_unknown"),
        (8, "manager_departed"),
    ]


def test_departures_trip_at_25_or_at_5_percent_whichever_comes_first() -> None:
    """RELIABILITY 8, I6: at the limit the run goes, beyond it it is held."""
    few, many = here(people(100)), here(people(1000))

    assert brakes(planned(few, people(95))) == []
    assert brakes(planned(few, people(94))) == ["departures"]
    assert brakes(planned(many, people(975))) == []
    assert brakes(planned(many, people(974))) == ["departures"]


def test_departures_count_however_they_are_said() -> None:
    before = here(people(100))
    left = [*people(94), *people(6, start=95, status="departed")]

    assert brakes(planned(before, left, complete=False)) == ["departures"]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([], "empty"),
        (people(49), "halved"),
        (people(201), "doubled"),
        (people(100, status="departed"), "all_departed"),
    ],
)
def test_odd_shape_is_held(rows: list[str], code: str) -> None:
    """S-24: empty, halved, doubled, all inactive."""
    assert code in brakes(planned(here(people(100)), rows))


def test_roster_written_twice_into_one_file_is_held() -> None:
    done = planned(here(people(100)), people(100) * 2)

    assert (brakes(done), done.changes, done.refused_rows) == (["empty"], (), 200)


def test_same_people_under_new_ids_are_held() -> None:
    """RELIABILITY 8: over 5 % new duplicates; B-38."""
    before = here(people(100))
    renamed = [line.replace("e-", "n-", 1) for line in people(6)]
    done = planned(before, [*people(100), *renamed])

    assert brakes(done) == ["duplicates"]
    assert [one.code for one in done.findings if one.code == "looks_like"] == ["looks_like"] * 6
    assert brakes(planned(before, [*people(100), *renamed[:5]])) == []


def test_part_of_a_roster_is_not_measured_as_a_whole() -> None:
    assert brakes(planned(here(people(100)), people(3), complete=False)) == []


ROWS = st.lists(
    st.builds(
        lambda number, manager, status, hired: row(
            f"e-{number}", manager_id=f"e-{manager}", status=status, hired_on=hired, name=f"N{hired}"
        ),
        st.integers(1, 60),
        st.integers(1, 60),
        st.sampled_from(["active", "active", "active", "on_leave", "departed", "wrong", ""]),
        st.sampled_from(["2020-01-01", "2021-01-01", "never", ""]),
    ),
    max_size=80,
)


def state(roster: Roster) -> dict[str, Record]:
    return {person_id: known.record for person_id, known in roster.people.items()}


@given(first=ROWS, second=ROWS, seed=st.integers(0, 999), complete=st.booleans())
def test_order_of_the_rows_decides_nothing(first: list[str], second: list[str], seed: int, complete: bool) -> None:
    before = here(first)
    other = Random(seed).sample(second, len(second))  # noqa: S311 - a repeatable order, no secret
    one, two = (planned(before, rows, complete=complete) for rows in (second, other))

    assert (one.changes, brakes(one), one.refused_rows) == (two.changes, brakes(two), two.refused_rows)


@given(first=ROWS, second=ROWS, complete=st.booleans())
def test_importing_twice_is_importing_once(first: list[str], second: list[str], complete: bool) -> None:
    before = here(first)
    once = after(before, planned(before, second, complete=complete, limits=EVERYTHING))
    again = planned(once, second, complete=complete, limits=EVERYTHING)

    assert again.changes == ()


@given(first=ROWS, second=ROWS, complete=st.booleans())
def test_no_run_goes_that_ends_more_than_its_threshold(first: list[str], second: list[str], complete: bool) -> None:
    """I6, counted here by hand from the states before and after."""
    before = here(first)
    done = planned(before, second, complete=complete)
    active = sum(one.status == "active" for one in state(before).values())
    ended = sum(
        state(before)[person_id].status != "departed" and one.status == "departed"
        for person_id, one in state(after(before, done)).items()
        if person_id in before.people
    )

    assert done.brakes or (ended <= 25 and ended * 20 <= active)


@given(first=ROWS, second=ROWS)
def test_versions_only_rise_by_one(first: list[str], second: list[str]) -> None:
    before = here(first)
    for change in planned(before, second).changes:
        known = before.people.get(change.record.person_id)
        assert change.version == (known.version if known else 0) + 1
