"""The wiring of the whole house, from the services' own descriptions: who tells what to whom, and what waits where.

Notify's test_all_queues_used.py: a topic without a consumer, or an event nobody emits, is found here and not by a
person who waits.
"""

import ast
import re
from functools import cache
from typing import Any

import pytest

from duly_chassis import entries
from duly_chassis.clock import SystemClock
from duly_chassis.purge import STATEMENTS
from duly_chassis.service import Service
from duly_chassis.settings import ServiceSettings
from duly_contracts import topics
from duly_contracts.catalogue import EVENTS
from duly_contracts.event import Event
from tests.architecture.source import ROOT, modules_of, services, walk

FROM_OUTSIDE = {
    "duly.training.": "an LMS that speaks our contract, and later completion",
}
NO_PRODUCER_YET = {
    "duly.outreach.withdrawn.v1": "messenger obeys it already; escalations will take requests back",
    "duly.outreach.requested.v1": "reminders asks by the version after it; messenger takes both",
}
NO_CONSUMER_YET = {
    "duly.training.progressed.v1": "changes no deadline; completion and escalations will read it",
    "duly.outreach.sent.v1": "escalations and records will read outcomes",
    "duly.outreach.sent.v2": "escalations and records will read outcomes",
    "duly.outreach.suppressed.v1": "escalations and records will read outcomes",
    "duly.outreach.failed.v1": "escalations and records will read outcomes",
    "duly.decisions.address-lost.v1": "records will keep findings; until then `duly explain` asks messenger",
    "duly.decisions.zone-not-found.v1": "records will keep findings; until then messages wait as `zone_unknown`",
    "duly.decisions.requested.v1": "records will keep decisions; until then `duly explain` asks reminders",
    "duly.decisions.withheld.v1": "records will keep decisions; until then `duly explain` asks reminders",
}
NO_CONSUMER_OF_TOPIC = {"duly.decisions": "records will keep decisions; until then `duly explain` asks reminders"}
OWN_SETTINGS: dict[str, dict[str, Any]] = {"reminders": {"policy_file": ROOT / "policies" / "reminders.yaml"}}
OF_EVERY_SERVICE = ("/v1/brakes", "/v1/dead-letters")
CREATE = re.compile(r"CREATE TABLE (\w+) \((.*?)^\)", re.DOTALL | re.MULTILINE)


@cache
def built() -> dict[str, tuple[Service[Any], ServiceSettings]]:
    """Build every installed service, as `duly up` does, without opening anything."""
    found = {}
    for entry in entries.every():
        settings = entry.settings.sample(**OWN_SETTINGS.get(entry.name, {}))
        found[entry.name] = entry.build(settings, SystemClock()), settings
    return found


def emitted() -> set[str]:
    """Return every type that some service says it emits."""
    return {event.type for service, _ in built().values() for event in service.emits}


def heard() -> set[str]:
    """Return every type that some service listens to."""
    return {event.type for service, _ in built().values() for listen in service.listens for event in listen.types}


def outside(event_type: str) -> bool:
    """Tell whether an event comes from outside of the house."""
    return event_type.startswith(tuple(FROM_OUTSIDE))


def tables(package: str) -> dict[str, str]:
    """Return the tables that a service's migrations create, each with its columns' text."""
    service = next(one for one in services() if one.package == package)
    text = "\n".join(module.text for module in modules_of(service) if ".migrations.versions" in module.name)
    return dict(CREATE.findall(text))


each_service = pytest.mark.parametrize("name", [service.package for service in services()])


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_topic_has_a_producer_and_a_consumer(topic: topics.Topic) -> None:
    produced = {event.topic for event in EVENTS if event.type in emitted() or outside(event.type)}
    consumed = {one.name for service, _ in built().values() for one in service.topics}

    assert topic.name in produced
    assert (topic.name in consumed) != (topic.name in NO_CONSUMER_OF_TOPIC)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_event_is_told_by_somebody_or_its_silence_has_a_reason(event: type[Event]) -> None:
    reasons = [event.type in emitted(), outside(event.type), event.type in NO_PRODUCER_YET]

    assert reasons.count(True) == 1, f"{event.type}: name it in a service's `emits`, or here with its reason"


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_event_is_heard_by_somebody_or_its_echo_has_a_reason(event: type[Event]) -> None:
    assert (event.type in heard()) != (event.type in NO_CONSUMER_YET), (
        f"{event.type}: let a service listen to it, or name it here with its reason, not both"
    )


@each_service
def test_service_emits_exactly_what_it_says(name: str) -> None:
    """AsyncAPI and the tests above believe `emits`; the code is what happens."""
    known = {event.__name__ for event in EVENTS}
    member = next(one for one in services() if one.package == name)
    made = {
        node.func.id
        for module in modules_of(member)
        for node, _ in walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known
    }

    assert {event.__name__ for event in built()[name][0].emits} == made


@each_service
def test_service_hears_each_type_once_and_on_its_own_topic(name: str) -> None:
    routes = [(event.type, listen.topic.name) for listen in built()[name][0].listens for event in listen.types]

    assert len({event_type for event_type, _ in routes}) == len(routes)
    assert set(routes) == {(event.type, event.topic) for event in EVENTS if event.type in dict(routes)}


@each_service
def test_every_table_with_a_next_due_at_is_one_that_rehearsals_wait_for(name: str) -> None:
    """ARCHITECTURE.md section 8: a waiting row that nobody lists would be jumped over."""
    waiting = {
        table for table, columns in tables(name).items() if re.search(r"^\s+next_due_at\b", columns, re.MULTILINE)
    }

    assert waiting == {wait.partition(" ")[0] for wait in built()[name][0].waits}


@each_service
def test_every_purge_has_its_setting_and_every_keeping_its_purge(name: str) -> None:
    """The purge loop looks up keep_<name>_days; a missing one would stop it for all tables."""
    service, settings = built()[name]
    kept = {
        field.removeprefix("keep_").removesuffix("_days")
        for field in type(settings).model_fields
        if field[:5] == "keep_"
    }

    assert kept == {*STATEMENTS, *service.purges}


@each_service
def test_readme_names_what_the_service_hears_and_tells(name: str) -> None:
    service = built()[name][0]
    text = (ROOT / "services" / name / "README.md").read_text(encoding="utf-8")
    card = dict(re.findall(r"^- \*\*(\w[\w ]*):\*\* (.*)$", text, re.MULTILINE))

    assert {topic.name for topic in service.topics} == set(re.findall(r"`(duly\.[a-z-]+)`", card["Listens"]))
    assert {event.__name__ for event in service.emits} == set(re.findall(r"`(\w+V\d+)`", card["Emits"]))
    assert {event.topic for event in service.emits} == set(re.findall(r"`(duly\.[a-z-]+)`", card["Emits"]))
    assert set(tables(name)) >= set(re.findall(r"ledger|stops|contacts|deadlines|decisions|policies", card["Owns"]))


@each_service
def test_every_path_of_a_service_is_versioned_and_its_own(name: str) -> None:
    service = built()[name][0]
    paths = [*service.answers, *(act.path for act in service.acts)]

    assert [path for path in paths if not path.startswith("/v1/") or path.startswith(OF_EVERY_SERVICE)] == []
    assert len(set(paths)) == len(paths)
