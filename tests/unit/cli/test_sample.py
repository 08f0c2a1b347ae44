"""The sample organisation of the demo: always the same, and with something of everything."""

from collections import Counter
from datetime import timedelta

from duly_cli.rehearsal.sample import START, sample
from duly_contracts.catalogue import EVENTS
from duly_contracts.decode import Decoder, Fact
from duly_contracts.envelope import seal
from duly_contracts.event import PersonEvent
from duly_contracts.people import PersonRecordedV1
from duly_contracts.training import TrainingAssignedV1, TrainingDueChangedV1, TrainingEvent


def test_sample_is_the_same_when_made_twice() -> None:
    assert sample() == sample()
    assert sample(1) != sample(2)


def test_sample_has_something_of_everything() -> None:
    play = sample()
    kinds = Counter(type(fact.event).__name__ for fact in play.facts)
    people = [fact.event for fact in play.facts if isinstance(fact.event, PersonRecordedV1)]

    assert play.counts.people == len({person.person_id for person in people}) == 120
    assert len({person.zone for person in people}) == 3
    assert len({person.department for person in people}) == 4
    assert {"active", "departed", "on_leave"} == {person.status for person in people}
    assert play.counts.assignments == kinds["TrainingAssignedV1"] > 300
    assert play.counts.completed == kinds["TrainingCompletedV1"] > 100
    assert play.counts.withdrawn == kinds["TrainingWithdrawnV1"] > 5
    assert kinds["TrainingDueChangedV1"] > 5


def test_sample_lasts_about_five_weeks_and_is_in_order() -> None:
    play = sample()
    instants = [fact.instant for fact in play.facts]
    dues = [
        fact.event.due_at for fact in play.facts if isinstance(fact.event, TrainingAssignedV1 | TrainingDueChangedV1)
    ]

    assert sorted(instants) == instants
    assert instants[0] == START
    assert timedelta(weeks=5) <= max(dues) - START <= timedelta(weeks=7)


def test_sample_names_each_fact_once_and_every_fact_survives_its_contract() -> None:
    play = sample()
    decoder = Decoder(EVENTS)
    assert len({fact.event_id for fact in play.facts}) == len(play.facts)
    for fact in play.facts:
        record = seal(fact.event, fact.event_id, fact.source)
        decoded = decoder.decode(record.topic, record.key, record.headers, record.value)
        assert isinstance(decoded, Fact)
        assert decoded.data == fact.event


def test_sample_speaks_only_of_people_and_assignments_it_has_introduced() -> None:
    introduced: set[str] = set()
    for fact in sample().facts:
        if isinstance(fact.event, TrainingAssignedV1):
            introduced.add(fact.event.assignment_id)
        if isinstance(fact.event, TrainingEvent):
            assert fact.event.assignment_id in introduced
            assert fact.event.person_id in introduced
        else:
            assert isinstance(fact.event, PersonEvent)
            introduced.add(fact.event.person_id)
