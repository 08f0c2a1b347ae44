"""Rows whose moment has come: shared by replicas, acted on once, given back by a crash."""

import asyncio
from datetime import timedelta

import pytest

from duly_chassis import outbox
from duly_chassis.service import Troubled
from tests.support.bench import Bench
from tests.support.toy import NOW, Switches

pytestmark = pytest.mark.connected

RUNG = "SELECT rung FROM alarms ORDER BY person_id"


async def alarms(toys: Bench, *minutes: int) -> None:
    """Set alarms, each so many minutes from now."""
    await toys.outside.executemany(
        "INSERT INTO alarms (tenant_id, person_id, next_due_at) VALUES ('acme', $1, $2)",
        [(f"p{number}", NOW + timedelta(minutes=after)) for number, after in enumerate(minutes)],
    )


async def test_two_loops_share_the_rows_and_act_on_each_once(toys: Bench, switches: Switches) -> None:
    """RELIABILITY 6.2 (SKIP LOCKED): the second passes over what the first has claimed."""
    await alarms(toys, *[-1] * 5)
    switches.open.clear()
    first = asyncio.create_task(toys.timer(batch_max=2)())
    await switches.entered.wait()
    switches.entered.clear()
    second = asyncio.create_task(toys.timer()())
    await switches.entered.wait()  # it did not wait for the first
    switches.open.set()

    assert [await first, await second] == [True, False]
    assert await toys.column(RUNG) == [1] * 5
    assert len(await toys.outgoing()) == 5


async def test_row_is_left_alone_before_its_moment_and_acted_on_at_it(toys: Bench) -> None:
    """RELIABILITY 7.8: what is due goes by the business clock."""
    await alarms(toys, 0, 1)
    step = toys.timer()
    await step()
    assert await toys.column(RUNG) == [1, 0]

    toys.clock.move_to(NOW + timedelta(minutes=1))
    await step()
    assert await toys.column(RUNG) == [1, 1]


async def test_death_in_the_middle_gives_the_rows_back(toys: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """B-52: neither half of the work stays, and the next round does all of it."""
    await alarms(toys, -1, -1)

    async def dies(*_arguments: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "put", dies)
        with pytest.raises(ConnectionResetError):
            await toys.timer()()
    assert await toys.column(RUNG) == [0, 0]

    await toys.timer()()
    assert await toys.column(RUNG) == [1, 1]
    assert len(await toys.outgoing()) == 2


async def test_row_that_cannot_be_worked_stays_due_and_costs_its_neighbours_nothing(
    toys: Bench, switches: Switches
) -> None:
    """I1, I4: one bad row must not keep everybody else's reminder back, nor get lost itself."""
    await alarms(toys, -1, -1, -1)
    switches.jammed = "p1"
    step = toys.timer()
    with pytest.raises(KeyError):
        await step()
    with pytest.raises(Troubled, match=r"^1 rows left due, the first KeyError at tests.support.toy.ring:\d+$"):
        await step()
    assert await toys.column(RUNG) == [1, 0, 1]

    switches.jammed = ""
    await step()
    assert await toys.column(RUNG) == [1, 1, 1]
    assert len(await toys.outgoing()) == 3
