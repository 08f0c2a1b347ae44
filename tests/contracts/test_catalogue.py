"""Every event that the code declares is known, named well and explained."""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import msgspec
import pytest

import duly_contracts
from duly_contracts import topics
from duly_contracts.catalogue import BY_TYPE, EVENTS
from duly_contracts.event import Event

TYPE = re.compile(r"duly\.([a-z]+(?:-[a-z]+)*)\.([a-z]+(?:-[a-z]+)*)\.v([1-9][0-9]*)")


def subclasses(parent: type[Event]) -> Iterator[type[Event]]:
    for child in parent.__subclasses__():
        yield child
        yield from subclasses(child)


def declared() -> set[type[Event]]:
    """Find every event of the package that names its type; those without one are families."""
    for module in pkgutil.iter_modules(duly_contracts.__path__):
        importlib.import_module(f"duly_contracts.{module.name}")
    ours = {event for event in subclasses(Event) if event.__module__.startswith("duly_contracts.")}
    return {event for event in ours if "type" in vars(event)}


def test_catalogue_holds_every_event_that_the_modules_declare() -> None:
    assert declared() == set(EVENTS)


def test_catalogue_names_each_type_once() -> None:
    assert len(EVENTS) == len(BY_TYPE)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_event_is_named_after_its_topic_its_fact_and_its_version(event: type[Event]) -> None:
    named = TYPE.fullmatch(event.type)

    assert named is not None
    assert f"duly.{named[1]}" == event.topic
    assert event.__name__.endswith(f"V{named[3]}")


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_event_goes_to_a_topic_that_exists(event: type[Event]) -> None:
    assert event.topic in {topic.name for topic in topics.ALL}


def test_compacted_topic_carries_one_type_so_that_the_last_record_is_enough() -> None:
    compacted = [topic.name for topic in topics.ALL if topic.compacted]

    assert [[e.topic for e in EVENTS].count(name) for name in compacted] == [1] * len(compacted)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_event_says_what_it_means_and_who_emits_it(event: type[Event]) -> None:
    text = event.__doc__ or ""
    first, _, rest = text.partition("\n")

    assert first.endswith(".")
    assert "mitted by" in rest


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_event_lists_all_its_moments_so_that_each_is_checked(event: type[Event]) -> None:
    dated = {
        field.name
        for field in msgspec.structs.fields(event)
        if "date-time" in str(msgspec.json.schema(field.type)) and "$ref" not in str(msgspec.json.schema(field.type))
    }

    assert dated == set(event.moments)
