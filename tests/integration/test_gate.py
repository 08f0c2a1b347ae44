"""The gate against stops: what has committed before it is not sent, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from duly_chassis.applying import Counted
from tests.integration.given_messages import OUTREACH, STATE, ask
from tests.support.bench import Bench
from tests.support.post import Post, sender
from tests.support.records import DUE, Tape, completed, due_changed, person, taken_back
from tests.support.waiting import until

pytestmark = pytest.mark.connected

BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"


def departed() -> Any:
    """Return the record of the person after they left."""
    return person(2, status="departed")


STOPS = {
    "completed": (lambda: completed("a1"), "suppressed completed"),
    "due changed": (lambda: due_changed("a1", DUE), "suppressed due_changed"),
    "departed": (departed, "suppressed person_departed"),
    "withdrawn": (lambda: taken_back(OUTREACH), "suppressed taken_back"),
}


@pytest.mark.parametrize(("stop", "end"), STOPS.values(), ids=STOPS)
async def test_stop_committed_before_the_gate_means_not_sent(messengers: Bench, stop: Any, end: str) -> None:
    """I3; RELIABILITY 3.4, 6.3: claimed already, and still nothing goes."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await ask(messengers, tape)
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    assert await messengers.column(STATE) == ["posting sending"]
    await messengers.apply(tape.record(stop(), "stop"))
    box.open.set()
    await step
    await loop.step()

    assert box.letters == []
    assert await messengers.column(STATE) == [end]
    assert await messengers.outgoing() == ["duly.outreach.suppressed.v1"]


@pytest.mark.parametrize(("stop", "_end"), STOPS.values(), ids=STOPS)
async def test_stop_waits_while_the_gate_is_held(messengers: Bench, stop: Any, _end: str) -> None:
    """I3; RELIABILITY 6.3: no request begins after the stop's commit, since that commit waits for the writing."""
    tape, box = Tape(), Post(writable=asyncio.Event())
    await ask(messengers, tape)
    step = asyncio.create_task(sender(messengers.context(), box).step())
    await box.inside.wait()
    stopping = asyncio.create_task(messengers.apply(tape.record(stop(), "stop")))
    await until(lambda: messengers.column(BLOCKED))
    assert not stopping.done()
    box.writable.set()
    await asyncio.gather(step, stopping)

    assert [letter.outreach_id for letter in box.letters] == [OUTREACH]
    assert await messengers.column(STATE) == ["sent accepted"]


@pytest.mark.parametrize(("stop", "end"), STOPS.values(), ids=STOPS)
async def test_gate_passes_a_row_over_that_a_stop_is_just_changing(messengers: Bench, stop: Any, end: str) -> None:
    """I3; RELIABILITY 6.3: gate and stop never wait for each other."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await ask(messengers, tape)
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    async with messengers.database.transaction() as connection:
        reads = messengers.reads([tape.record(stop(), "stop")])
        await messengers.lanes._applying._handle(connection, [read.outcome for read in reads], Counted())  # type: ignore[misc]
        box.open.set()
        await box.inside.wait()  # while the stop is not yet committed
    await step
    await loop.step()

    assert (box.letters, await messengers.column(STATE)) == ([], [end])


@pytest.mark.parametrize(("stop", "end"), STOPS.values(), ids=STOPS)
async def test_stop_committed_while_the_gate_is_being_taken_is_seen(messengers: Bench, stop: Any, end: str) -> None:
    """I3: between the gate's snapshot and its locks too; the gate reads slowly here, so that there is a between."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await ask(messengers, tape)
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    async with slow_gate(messengers):
        box.open.set()
        await until(lambda: messengers.column(BLOCKED))
        await messengers.apply(tape.record(stop(), "stop"))
    await step
    await loop.step()

    assert (box.letters, await messengers.column(STATE)) == ([], [end])


@asynccontextmanager
async def slow_gate(messengers: Bench) -> AsyncIterator[None]:
    """Let the gate, known by its setting, wait in the middle of its statement until the block ends."""
    await messengers.outside.execute("""
        CREATE FUNCTION waits() RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN
                IF current_setting('idle_in_transaction_session_timeout') = '2s' THEN
                    PERFORM pg_advisory_xact_lock_shared(42);
                END IF;
                RETURN true;
            END $$;
        ALTER TABLE ledger RENAME TO ledger_kept;
        CREATE VIEW ledger AS SELECT * FROM ledger_kept WHERE waits();
        GRANT ALL ON ledger TO messenger;
        SELECT pg_advisory_lock(42);
    """)
    yield
    await messengers.outside.execute("SELECT pg_advisory_unlock(42)")
