"""The supervisor of loops, the nudge, the waiting and the clocks."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from duly_chassis import loops, retry
from duly_chassis.clock import DrivenClock, SystemClock
from duly_chassis.host import Host
from duly_chassis.loops import Supervised
from duly_chassis.metrics import Metrics
from duly_chassis.service import Loop, Troubled
from duly_chassis.wake import Wake
from tests.support import toy
from tests.support.waiting import until

START = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pauses of trying again be short."""
    monkeypatch.setattr(retry, "FIRST_WAIT_S", 0.001)


def supervised(step: Callable[[], object], wake: Wake | None = None, interval_s: float = 60) -> Supervised:
    """Return a supervisor of this step; the step's own return says whether there is more."""

    async def once() -> bool:
        return bool(step())

    return Supervised("toy", once, wake or Wake(), interval_s, Metrics("unit"))


async def test_loop_goes_on_after_an_exception_and_the_failure_is_counted() -> None:
    """RELIABILITY 3.2, 5.12: without this 1,128 messages were never sent, and health stayed green."""
    rounds: list[int] = []

    def fails_twice() -> None:
        rounds.append(1)
        if len(rounds) <= 2:
            raise KeyError("canary")

    loop = supervised(fails_twice)
    loop.start()
    await until(lambda: len(rounds) == 3 and loop.trouble is None)
    assert loop.alive
    counted = {"service": "unit", "part": "toy", "error": "KeyError"}
    assert loop._metrics.registry.get_sample_value("duly_retries_total", counted) == 2
    await loop.stop(1)
    assert not loop.alive


async def test_loop_says_what_troubles_it_while_it_waits() -> None:
    """RELIABILITY 5.12: readiness shows it, by class and never by text."""

    def fails() -> None:
        raise ConnectionResetError("canary")

    loop = supervised(fails)
    loop.start()
    await until(lambda: loop.trouble == "ConnectionResetError")
    await loop.stop(1)


async def test_round_that_was_done_but_for_something_says_so_and_is_tried_again_at_its_own_pace() -> None:
    """RELIABILITY 5.12: readiness shows it until a round has nothing to say; nothing is retried in haste."""
    rounds: list[int] = []
    wake = Wake()

    def first_is_troubled() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            raise Troubled("1 row left due")

    loop = supervised(first_is_troubled, wake)
    loop.start()
    await until(lambda: loop.trouble == "1 row left due")
    assert len(rounds) == 1
    wake.set()
    await until(lambda: loop.trouble is None)
    assert len(rounds) == 2
    await loop.stop(1)


async def test_loop_does_another_round_at_once_while_there_is_more() -> None:
    rounds: list[int] = []

    def five() -> bool:
        rounds.append(1)
        return len(rounds) < 5

    loop = supervised(five)
    loop.start()
    await until(lambda: len(rounds) == 5)
    await loop.stop(1)

    assert len(rounds) == 5


async def test_nudge_ends_a_loops_rest() -> None:
    rounds: list[int] = []
    wake = Wake()
    loop = supervised(lambda: rounds.append(1), wake)
    loop.start()
    await until(lambda: len(rounds) == 1)
    wake.set()
    await until(lambda: len(rounds) == 2)
    await loop.stop(1)


async def test_resting_loop_shows_life_when_its_interval_is_longer_than_a_heartbeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RELIABILITY 5.12: rest is not death; a tick of 300 s may be set."""
    monkeypatch.setattr(loops, "BEAT_EVERY_S", 0.01)
    rounds: list[int] = []
    loop = supervised(lambda: rounds.append(1), interval_s=300)
    loop.start()
    await until(lambda: rounds)
    first_s = loop._pulse._beat_s
    await until(lambda: loop._pulse._beat_s > first_s)
    second_s = loop._pulse._beat_s
    await until(lambda: loop._pulse._beat_s > second_s)

    assert len(rounds) == 1
    await loop.stop(1)


async def test_hanging_round_makes_a_loop_look_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """RELIABILITY 5.12: heartbeats younger than 60 s, or somebody must look."""
    monkeypatch.setattr(loops, "HEARTBEAT_DEADLINE_S", 0.05)

    async def hangs() -> bool:
        await asyncio.Event().wait()
        return False

    loop = Supervised("toy", hangs, Wake(), 60, Metrics("unit"))
    loop.start()
    await until(lambda: not loop.alive)
    assert loop.age_s >= 0.05
    await loop.stop(0.01)


async def test_stop_cuts_a_round_that_outlasts_the_deadline_and_gives_back_what_the_loop_holds() -> None:
    """RELIABILITY 5.12; B-50: what it left is picked up as after a crash."""
    closed: list[int] = []
    cut: list[int] = []
    began = asyncio.Event()

    async def hangs() -> bool:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(1)
            raise
        return False

    async def close() -> None:
        closed.append(1)

    loop = Supervised("toy", hangs, Wake(), 60, Metrics("unit"), close)
    loop.start()
    await began.wait()
    began_s = time.monotonic()
    await loop.stop(0.05)

    assert (cut, closed) == ([1], [1])
    assert time.monotonic() - began_s < 5


async def test_stop_lets_the_round_in_hand_finish() -> None:
    began, may_end, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow() -> bool:
        began.set()
        await may_end.wait()
        done.set()
        return True

    loop = Supervised("toy", slow, Wake(), 60, Metrics("unit"))
    loop.start()
    await began.wait()
    stopping = asyncio.create_task(loop.stop(20))
    await until(lambda: loop._stopping)
    may_end.set()
    await stopping

    assert done.is_set()


async def test_nudge_before_the_wait_is_not_lost_and_counts_once() -> None:
    wake = Wake()
    wake.set()
    wake.set()

    assert await wake.wait(60) is True
    assert await wake.wait(0.001) is False


async def test_waiting_in_place_ends_with_the_answer_and_tells_each_failure() -> None:
    told: list[tuple[str, int]] = []
    tries: list[int] = []

    async def third_time() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OSError
        return "done"

    answer = await retry.in_place(
        third_time, lambda _error: True, lambda error, number: told.append((type(error).__name__, number))
    )
    assert (answer, told) == ("done", [("OSError", 1), ("OSError", 2)])


async def test_waiting_in_place_raises_at_once_what_is_not_worth_it() -> None:
    tries: list[int] = []

    async def fails() -> None:
        tries.append(1)
        raise KeyError("once")

    with pytest.raises(KeyError):
        await retry.in_place(fails, lambda _error: False, lambda _error, _number: None)
    assert tries == [1]


async def test_waiting_in_place_can_be_cancelled() -> None:
    """A stop is no failure to be tried again."""

    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await retry.in_place(cancelled, lambda _error: True, lambda _error, _number: None)


async def test_facts_wake_only_the_loops_they_may_have_made_work_for() -> None:
    """An idle look is a transaction: what time alone makes due is not looked for after each batch of facts."""
    host = toy_host()

    host.applied()

    assert woken(host) == {"ring", "own", "relay"}


async def test_orders_and_clock_jumps_wake_every_loop_that_can_be_woken() -> None:
    host = toy_host()
    host.clock.move_to(START + timedelta(days=1))  # type: ignore[attr-defined]

    assert woken(host) == {"ring", "own", "relay", "ring by time", "own by time"}


async def test_told_wakes_the_relay_alone() -> None:
    """Events were written and nothing was made due."""
    host = toy_host()

    host._relay.nudge()

    assert woken(host) == {"relay"}


def toy_host() -> Host:
    """Return a toy with loops of all kinds, not started."""
    service = toy.service(toy.Switches.free())
    timers = (*service.timers, replace(service.timers[0], name="ring by time", by_time=True))

    async def once() -> bool:
        return False

    loops = (
        Loop("own", lambda _context: once, 5),
        Loop("own by time", lambda _context: once, 5, by_time=True),
        Loop("machine", lambda _context: once, 5, woken=False),
    )
    settings = toy.ToySettings(kafka_bootstrap="127.0.0.1:9", database_url=SecretStr("postgresql://127.0.0.1:9/duly"))
    return Host(replace(service, timers=timers, loops=loops), settings, DrivenClock(START))


def woken(host: Host) -> set[str]:
    """Return the names of the loops that were nudged."""
    return {loop.name for loop in host._loops if loop._wake._event.is_set()}


def test_driven_clock_stands_still_until_it_is_moved_and_wakes_who_asked() -> None:
    """RELIABILITY 7.9: one clock port, driven by tests."""
    clock, woken = DrivenClock(START), []
    clock.on_move(lambda: woken.append(clock.now()))
    assert clock.now() == clock.now() == START
    clock.move_to(START + timedelta(days=1))

    assert woken == [START + timedelta(days=1)]


def test_driven_clock_refuses_to_go_back() -> None:
    clock = DrivenClock(START)
    with pytest.raises(ValueError, match="does not go back"):
        clock.move_to(START - timedelta(seconds=1))
    assert clock.now() == START


def test_system_clock_speaks_utc_and_never_jumps() -> None:
    clock, woken = SystemClock(), []
    clock.on_move(lambda: woken.append(1))

    assert clock.now().tzinfo is UTC
    assert woken == []
