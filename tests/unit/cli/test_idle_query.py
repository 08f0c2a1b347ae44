"""The one statement by which a rehearsal proves that all services rest, as far as it is only text."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from duly_chassis.service import Service
from duly_cli.rehearsal.idle import Idle, Rest, snapshot
from duly_contracts import topics
from duly_contracts.topics import Topic


class Listening(Service[Any]):
    """A service that listens to some topics, and is otherwise empty."""

    heard: tuple[Topic, ...] = (topics.TRAINING,)

    @property
    def topics(self) -> tuple[Topic, ...]:
        return self.heard


def service(name: str, **changes: Any) -> Listening:
    return Listening(name=name, work=lambda _connection: None, listens=(), emits=(), **changes)


def test_snapshot_looks_at_every_service_in_one_statement() -> None:
    query = snapshot([service("one", waits=("cases",)), service("two", busy="SELECT true")])

    assert query.count(" UNION ALL ") == 1
    assert ";" not in query
    for part in ("FROM one.outbox", "FROM two.outbox", "FROM one.consumer_offsets", "(SELECT true) AS busy"):
        assert part in query


def test_snapshot_asks_each_table_in_which_something_waits() -> None:
    query = snapshot([service("one", waits=("cases", "letters"))])

    both = "least((SELECT min(next_due_at) FROM one.cases), (SELECT min(next_due_at) FROM one.letters))"
    assert f"{both} AS next_due_at, coalesce({both} <= $1, false) AS due_now" in query


def test_snapshot_of_a_service_where_nothing_waits_is_never_due() -> None:
    query = snapshot([service("one")])

    assert "NULL::timestamptz AS next_due_at, coalesce(NULL::timestamptz <= $1, false) AS due_now" in query


@pytest.fixture(name="idle")
async def idle_fixture() -> AsyncIterator[Idle]:
    """Watch one service; nothing is connected."""
    idle = Idle("postgresql://nowhere", "nowhere:1", [service("one")])
    yield idle
    await idle._consumer.stop()


@pytest.mark.parametrize(("stored", "said"), [(7, ""), (6, "one reads duly.training[0]"), (None, "one reads")])
async def test_service_is_behind_as_long_as_an_offset_has_not_reached_its_end(
    idle: Idle, stored: int | None, said: str
) -> None:
    ends = dict.fromkeys(idle._places, 0) | {place: 7 for place in idle._places if place == ("duly.training", 0)}
    known = {} if stored is None else {("duly.training", 0): stored}

    behind = idle._behind(Rest("", None, {"one": known}), ends)

    assert behind.startswith(said)
    assert bool(behind) == bool(said)


async def test_topics_that_a_service_does_not_hear_do_not_hold_it_up(idle: Idle) -> None:
    ends = {place: 0 if place.topic == topics.TRAINING.name else 9 for place in idle._places}

    assert idle._behind(Rest("", None, {"one": {}}), ends) == ""
