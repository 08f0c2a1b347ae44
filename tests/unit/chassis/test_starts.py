"""Which records of a batch a process may have died over, and how they are taken (RELIABILITY 5.10)."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from duly_chassis.starts import FEW_RECORDS, Starts
from tests.support.records import Tape, assigned

T = TypeVar("T")
FIRST = 1_000


def begun(until: int) -> Starts:
    """Have a process find this noted of the one partition, and no stored offset: what was begun seems to start at 0."""
    told: list[Any] = [{("duly.training", 0): range(until)}, set()]

    async def in_place(work: Callable[[Any], Awaitable[T]]) -> T:  # noqa: ARG001 - no database here
        found: T = told.pop(0)
        return found

    return Starts(in_place, batch_records_max=6_000)


@pytest.mark.parametrize(("number", "sizes"), [(10, {1}), (FEW_RECORDS, {1}), (2 * FEW_RECORDS, {FEW_RECORDS})])
async def test_few_suspects_go_alone_though_their_log_begins_far_behind_its_start(number: int, sizes: set[int]) -> None:
    """RELIABILITY 5.10: only who is taken alone can be found out."""
    tape = Tape()
    records = [tape.record(assigned(f"a{n}"), f"e{n}", offset=FIRST + n) for n in range(number)]
    portions, rest = await begun(FIRST + number).part(records, lambda _place: FIRST + number)

    assert {len(portion.records) for portion in portions} == sizes
    assert all(portion.alone == (sizes == {1}) for portion in portions)
    assert [one.offset for portion in portions for one in portion.records] == [one.offset for one in records]
    assert not rest
