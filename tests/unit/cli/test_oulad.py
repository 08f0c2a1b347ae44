"""Reading an OULAD folder: the mapping of its README, one sentence each."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from duly_cli.rehearsal.oulad import read
from duly_cli.rehearsal.play import Counts, Play
from duly_contracts.decode import Decoder, Fact
from duly_contracts.envelope import seal
from duly_contracts.event import Event
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import (
    TrainingAssignedV1,
    TrainingCompletedV1,
    TrainingEvent,
    TrainingWithdrawnV1,
)
from tests.oracle.folder import generate
from tests.oracle.oulad import Assignment, truth
from tests.unit.cli.folders import HEADERS, ROWS, folder

ASSIGNED_AT = datetime(2013, 4, 25, tzinfo=UTC)
TRAINING = (TrainingAssignedV1, TrainingCompletedV1, TrainingWithdrawnV1)


def story(play: Play) -> list[tuple[str, str, str]]:
    """Tell the training facts: instant, kind, assessment."""
    return [
        (f"{fact.instant:%Y-%m-%dT%H:%M:%S}", fact.event.type.split(".")[2], fact.event.training_id[-4:])
        for fact in play.facts
        if isinstance(fact.event, TrainingEvent)
    ]


def people(play: Play) -> dict[str, PersonRecordedV1]:
    return {fact.event.person_id: fact.event for fact in play.facts if isinstance(fact.event, PersonRecordedV1)}


def test_registration_becomes_a_person_and_an_assignment_for_each_assessment(tmp_path: Path) -> None:
    play = read(folder(tmp_path))
    person = people(play)["11391"]

    assert play.tenant_id == "oulad"
    assert story(play) == [
        ("2013-04-25T00:00:00", "assigned", "1752"),
        ("2013-04-25T00:00:00", "assigned", "1753"),
        ("2013-10-19T12:00:00", "completed", "1752"),
    ]
    assert (person.occurred_at, person.version, person.status) == (ASSIGNED_AT, 1, "active")
    assert (person.zone, person.location) == ("Europe/London", "East Anglian Region")
    assert person.manager_id == "tutor-AAA-east-anglian-region"
    assert person.personal.mail == "learner11391@learners.example"
    assert play.counts == Counts(people=1, assignments=2, completed=1)


def test_assignment_carries_ids_title_and_the_last_second_of_its_day(tmp_path: Path) -> None:
    event = next(fact.event for fact in read(folder(tmp_path)).facts if isinstance(fact.event, TrainingAssignedV1))

    assert event.assignment_id == "AAA-2013J-1752-11391"
    assert event.training_id == "AAA-2013J-1752"
    assert event.training_title == "AAA 2013J TMA 1752"
    assert event.due_at == datetime(2013, 10, 20, 23, 59, 59, tzinfo=UTC)


def test_score_goes_with_the_completion_where_there_is_one(tmp_path: Path) -> None:
    submissions = ["1752,11391,18,0,78", "1753,11391,50,0,"]
    play = read(folder(tmp_path, studentAssessment=submissions))

    assert [f.event.score for f in play.facts if isinstance(f.event, TrainingCompletedV1)] == [78.0, None]


@pytest.mark.parametrize(
    ("registered", "submitted", "expected"),
    [
        ("-159,", "18", ["assigned", "completed"]),
        ("20,", "18", ["assigned", "completed"]),  # submitted before it was assigned
        ("-159,10", "", ["assigned", "withdrawn"]),
        ("-159,-200", "", ["assigned", "withdrawn"]),  # unregistered before registered
        ("-159,30", "18", ["assigned", "completed"]),  # nothing open any more
        ("-159,18", "18", ["assigned", "withdrawn", "completed"]),  # midnight comes before noon
        ("-159,10", "18", ["assigned", "withdrawn", "completed"]),
        ("20,10", "18", ["assigned", "completed"]),  # complete from its first instant
    ],
)
def test_end_of_a_registration_withdraws_what_is_still_open(
    tmp_path: Path, registered: str, submitted: str, expected: list[str]
) -> None:
    play = read(
        folder(
            tmp_path,
            assessments=ROWS["assessments"][:1],
            studentRegistration=[f"AAA,2013J,11391,{registered}"],
            studentAssessment=[f"1752,11391,{submitted},0,"] if submitted else [],
        )
    )
    told = story(play)

    assert [kind for _, kind, _ in told] == expected
    assert min(told)[0] == told[0][0], "nothing ends before it began"


def test_what_says_too_little_is_skipped_and_counted(tmp_path: Path) -> None:
    play = read(
        folder(
            tmp_path,
            assessments=[*ROWS["assessments"], "AAA,2013J,1754,Exam,,100", "AAA,2013J,1755,Exam,?,100"],
            studentInfo=[*ROWS["studentInfo"], "AAA,2013J,2,Ireland,Fail"],
            studentRegistration=[*ROWS["studentRegistration"], "AAA,2013J,2,?,3"],
            studentAssessment=["1752,2,18,0,1", "9999,11391,1,0,1", "1754,11391,1,0,1"],
        )
    )

    assert play.counts == Counts(
        people=1, assignments=2, skipped_registrations=1, skipped_assessments=2, skipped_submissions=3
    )


def test_learner_in_several_modules_is_one_person_where_the_first_registration_says(tmp_path: Path) -> None:
    play = read(
        folder(
            tmp_path,
            studentInfo=["AAA,2013J,7,Wales,Pass", "BBB,2013J,7,Ireland,Pass"],
            studentRegistration=["AAA,2013J,7,-10,", "BBB,2013J,7,-20,"],
            studentAssessment=[],
        )
    )
    person = people(play)["7"]

    assert (person.zone, person.manager_id) == ("Europe/Dublin", "tutor-BBB-ireland")
    assert person.occurred_at == datetime(2013, 9, 11, tzinfo=UTC)


def test_facts_are_in_the_order_of_their_instants_people_first_ends_last(tmp_path: Path) -> None:
    play = read(generate(tmp_path, learners=60, seed=3))
    instants = [fact.instant for fact in play.facts]
    places = {PersonRecordedV1: 0, TrainingAssignedV1: 1, TrainingCompletedV1: 2, TrainingWithdrawnV1: 2}
    ranks = [(fact.instant, places[type(fact.event)]) for fact in play.facts]

    assert sorted(instants) == instants
    assert sorted(ranks) == ranks


def test_reading_twice_gives_the_same_facts_under_the_same_ids(tmp_path: Path) -> None:
    once, twice = read(generate(tmp_path, learners=24, seed=3)), read(tmp_path)

    assert once == twice
    assert len({fact.event_id for fact in once.facts}) == len(once.facts)


def test_every_fact_survives_its_own_contract(tmp_path: Path) -> None:
    """What the reader lets through, the decoder of every service takes."""
    decoder = Decoder([PersonRecordedV1, *TRAINING])
    for fact in read(generate(tmp_path, learners=24, seed=4)).facts:
        record = seal(fact.event, fact.event_id, fact.source)
        decoded = decoder.decode(record.topic, record.key, record.headers, record.value)
        assert isinstance(decoded, Fact)
        assert decoded.data == fact.event
        assert (decoded.id, decoded.source) == (fact.event_id, fact.source)


@pytest.mark.parametrize("original_form", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_assignments_agree_with_the_oracle(tmp_path: Path, seed: int, *, original_form: bool) -> None:
    """A second reading that shares no code finds the same assignments with the same ends."""
    generate(tmp_path, learners=60, seed=seed, original_form=original_form)
    expected = truth(tmp_path)
    play = read(tmp_path)

    assert play.counts.skipped_registrations == expected.registrations_without_day
    assert play.counts.skipped_assessments == expected.assessments_without_day
    assert {a.id: without_impossible(a) for a in expected.assignments.values()} == dict(ends(play))


def without_impossible(assignment: Assignment) -> dict[str, object]:
    """Say an end before the beginning as the reader does: at the beginning."""
    told = asdict(assignment)
    told["ends_at"] = max(assignment.ends_at, assignment.assigned_at)
    return {name: told[name] for name in ("to", "assigned_at", "due_at", "ends_at")}


def ends(play: Play) -> Iterator[tuple[str, dict[str, object]]]:
    """Read the assignments back from the facts."""
    mails = {person_id: person.personal.mail for person_id, person in people(play).items()}
    stories: dict[str, list[Event]] = {}
    for fact in play.facts:
        if isinstance(fact.event, TrainingEvent):
            stories.setdefault(fact.event.assignment_id, []).append(fact.event)
    for assignment_id, (first, *later) in stories.items():
        assert isinstance(first, TrainingAssignedV1)
        ended = min([first.due_at, *(event.occurred_at for event in later)])
        yield (
            assignment_id,
            {
                "to": mails[first.person_id],
                "assigned_at": first.occurred_at,
                "due_at": first.due_at,
                "ends_at": max(ended, first.occurred_at),
            },
        )


def test_form_is_free_in_order_of_columns_marks_endings_and_blanks(tmp_path: Path) -> None:
    expected = read(folder(tmp_path))
    path = tmp_path / "studentRegistration.csv"
    text = '\ufeffdate_registration , id_student,more,"code_module",date_unregistration,code_presentation\r\n\r\n'
    path.write_bytes((text + '"-159",11391,"a, ""b""",AAA,?,2013J\r\n\r\n').encode())

    assert read(tmp_path) == expected


def test_presentation_with_b_starts_in_february(tmp_path: Path) -> None:
    rows = {name: [row.replace("2013J", "2014B") for row in ROWS[name]] for name in HEADERS}
    play = read(folder(tmp_path, **rows))

    assert datetime(2014, 2, 20, 23, 59, 59, tzinfo=UTC) == next(
        fact.event.due_at for fact in play.facts if isinstance(fact.event, TrainingAssignedV1)
    )
