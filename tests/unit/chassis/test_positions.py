"""Where a consumer reads is held against what was applied, wherever it is new or goes on behind a gap."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from duly_chassis.dead_letters import Raw
from duly_chassis.offsets import Stored
from duly_chassis.positions import UNPLACED, Moved, Positions
from tests.support.records import Tape, assigned

T = TypeVar("T")
PLACE = ("duly.training", 0)


def records(*offsets: int) -> list[Raw]:
    """Return records of one partition of duly.training at these offsets."""
    return [Tape().record(assigned("a1"), "e1", offset=offset) for offset in offsets]


class Rows:
    """What PostgreSQL says of the partition, as a test has it."""

    def __init__(self) -> None:
        self.stored: Stored | None = None

    async def __call__(self, work: Callable[[Any], Awaitable[T]]) -> T:
        return await work(self)

    async def fetch(self, _query: str) -> list[dict[str, Any]]:
        topic, partition = PLACE
        return [] if self.stored is None else [{"topic": topic, "partition": partition, **self.stored._asdict()}]


async def met(positions: Positions, *offsets: int) -> dict[tuple[str, int], int]:
    """Meet a batch as the consumer does; raises Moved."""
    batch = records(*offsets)
    doubtful = positions.doubtful(batch)
    if doubtful:
        await positions.place(batch, doubtful)
    return positions.note(batch)


async def test_partition_is_doubtful_when_it_is_new_and_behind_a_gap() -> None:
    """RELIABILITY section 9, C3: records deleted under a group that lags."""
    positions = Positions(Rows(), set())

    assert positions.doubtful(records(7)) == {PLACE}
    await met(positions, 7, 8)
    assert positions.doubtful(records(9, 10)) == set()
    assert positions.doubtful(records(3, 4)) == set()
    assert positions.doubtful(records(12)) == {PLACE}


async def test_gaps_of_a_compacted_topic_are_taken_for_granted_once_it_is_known() -> None:
    positions = Positions(Rows(), {"duly.training"})
    await met(positions, 7)

    assert positions.doubtful(records(12)) == set()
    positions.begin_anew()
    assert positions.doubtful(records(12)) == {PLACE}


@pytest.mark.parametrize("stored", [None, Stored(3, 0, None)], ids=["nothing applied", "less applied"])
async def test_first_epoch_is_read_from_where_the_group_stands(stored: Stored | None) -> None:
    rows = Rows()
    rows.stored = stored

    assert await met(Positions(rows, set()), 9) == {PLACE: 0}


async def test_epoch_that_began_is_read_from_where_it_stands_and_asked_for_once() -> None:
    """RELIABILITY 5.6, section 9, C3: an old acknowledgement in a new cluster must not hide what lies before it."""
    rows = Rows()
    rows.stored, positions = Stored(0, 2, "new"), Positions(rows, set())

    with pytest.raises(Moved) as moved:
        await met(positions, 142, 143)
    assert moved.value.back == {PLACE: 0}
    positions.forget(moved.value.back)
    assert await met(positions, 100) == {PLACE: 2}, "the log begins there: nobody can go back further"


async def test_epoch_that_begins_while_nothing_comes_is_gone_back_for() -> None:
    """RELIABILITY 5.6: what was read in a new cluster under the old epoch's offsets comes once more."""
    rows = Rows()
    rows.stored, positions = Stored(142, 1, "old"), Positions(rows, set())
    assert await positions.outdated({PLACE}) == {PLACE: 142}, "given, and nothing heard: where its epoch stands"
    await met(positions, 142, 143)
    assert await positions.outdated({PLACE}) == {}

    rows.stored = Stored(0, 2, "new")
    assert await positions.outdated({PLACE}) == {PLACE: 0}
    assert await positions.outdated({PLACE}) == {}, "it is doubtful now, and placed by its next record"
    with pytest.raises(Moved):
        await met(positions, 144)  # was in hand when another loop went back


async def test_partition_that_is_taken_while_its_batch_waits_has_no_epoch() -> None:
    """RELIABILITY 5.6: a rebalance in the middle of a batch must neither raise nor have it applied unplaced."""
    positions = Positions(Rows(), set())
    await met(positions, 7)
    positions.begin_anew()

    assert positions.note(records(8)) == {PLACE: UNPLACED}
