"""The watchdog of partitions: aiokafka can stop without saying so (I10)."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest
from aiokafka.structs import TopicPartition

from duly_chassis.health import Progress

PLACE = TopicPartition("duly.training", 3)


class Client:
    """As much of a consumer as is asked."""

    def __init__(self, end: int, position: int) -> None:
        self.end = end
        self.at = position
        self.places = {PLACE}

    def assignment(self) -> set[TopicPartition]:
        return self.places

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(places, self.end)

    async def position(self, _place: TopicPartition) -> int:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Hold the machine clock in hand."""
    now = [1000.0]
    monkeypatch.setattr("duly_chassis.health.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


async def test_partition_that_lags_and_does_not_move_for_30_s_is_stuck(clock: list[float]) -> None:
    """I10; RELIABILITY 5.12."""
    client = Client(end=10, position=5)
    progress = Progress(SimpleNamespace(consumer=client))
    assert await progress.stuck() == ""
    clock[0] += 30
    assert await progress.stuck() == ""
    clock[0] += 1
    assert await progress.stuck() == "stuck: duly.training[3]"
    client.at = 6
    assert await progress.stuck() == ""


async def test_partition_without_lag_may_rest_for_ever(clock: list[float]) -> None:
    progress = Progress(SimpleNamespace(consumer=Client(end=10, position=10)))
    await progress.stuck()
    clock[0] += 10_000

    assert await progress.stuck() == ""


async def test_replica_without_partitions_is_well_and_one_without_a_consumer_is_not(clock: list[float]) -> None:
    client = Client(end=10, position=5)
    client.places = set()
    clock[0] += 1

    assert await Progress(SimpleNamespace(consumer=client)).stuck() == ""
    assert await Progress(SimpleNamespace(consumer=None)).stuck() == "not started"
