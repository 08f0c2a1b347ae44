"""No wake-up is lost: a record that arrives while its message is just being put to sleep finds it awake."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from duly_chassis.database import Connection
from messenger.channel import RefusedForNow
from messenger.store import Store
from tests.support.bench import Bench
from tests.support.post import Post, sender
from tests.support.records import DUE, MOMENT, Tape, person, requested
from tests.support.waiting import until

pytestmark = pytest.mark.connected

STATE = "SELECT state || ' ' || reason FROM ledger"
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
GAP = 42


@asynccontextmanager
async def gap_in_the_claim(messengers: Bench, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Hold each claim between its snapshot and its locks until the block ends: there is always such a gap."""
    await messengers.outside.execute("""
        CREATE FUNCTION waits() RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN
                IF current_setting('duly.claims', true) = 'yes' THEN
                    PERFORM pg_advisory_xact_lock_shared(42);
                END IF;
                RETURN true;
            END $$;
        ALTER TABLE ledger RENAME TO ledger_kept;
        CREATE VIEW ledger AS SELECT * FROM ledger_kept WHERE waits();
        GRANT ALL ON ledger TO messenger;
    """)
    real = Store.claim

    async def claim(self: Store, *arguments: Any) -> Any:
        await self._connection.execute("SET LOCAL duly.claims = 'yes'")
        found = await real(self, *arguments)
        await self._connection.execute("SET LOCAL duly.claims = 'no'")
        return found

    monkeypatch.setattr("messenger.sending.ledger.Ledger.claim", claim)
    await messengers.outside.execute("SELECT pg_advisory_lock($1)", GAP)
    yield
    await messengers.outside.execute("SELECT pg_advisory_unlock($1)", GAP)


async def test_record_committed_inside_the_claim_is_seen_by_it(
    messengers: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1: read in one statement with the rows, it would be missed, and its own wake-up has passed already."""
    tape, box = Tape(), Post()
    await messengers.apply(tape.record(requested(UUID(int=1)), "r1"))
    async with gap_in_the_claim(messengers, monkeypatch):
        step = asyncio.create_task(sender(messengers.context(), box).step())
        await until(lambda: messengers.column(BLOCKED))
        await messengers.apply(tape.record(person(), "v1"))
    await step

    assert await messengers.column(STATE) == ["sent accepted"]


@asynccontextmanager
async def held_commit(messengers: Bench, then: Callable[[], Any]) -> AsyncIterator[None]:
    """Call `then` before the first transaction inside the block commits: its rows are locked, its writing is done."""
    real = messengers.database.transaction

    @asynccontextmanager
    async def transaction() -> AsyncIterator[Connection]:
        messengers.database.transaction = real  # type: ignore[method-assign]
        async with real() as connection:
            yield connection
            await then()

    messengers.database.transaction = transaction  # type: ignore[method-assign]
    try:
        yield
    finally:
        messengers.database.transaction = real  # type: ignore[method-assign]


@pytest.mark.parametrize("refused_before", [False, True], ids=["never tried", "refused for now before"])
async def test_record_that_arrives_while_its_message_is_put_to_sleep_wakes_it(
    messengers: Bench, refused_before: bool
) -> None:
    """I1: until the sleep commits, the row does not say yet what it waits for; its handler must wait for it."""
    tape, box = Tape(), Post(RefusedForNow("busy", "451"))
    loop = sender(messengers.context(), box)
    waking: list[asyncio.Task[None]] = []
    events = [tape.record(requested(UUID(int=1)), "r1")]
    if refused_before:
        gone = person(2, personal=type(person().personal)(name="Ada", mail=None))
        await messengers.apply(tape.record(person(), "v1"), *events)
        await loop.step()
        await messengers.apply(tape.record(gone, "v2"))
        messengers.clock.move_to(MOMENT + timedelta(minutes=1))
    else:
        await messengers.apply(*events)

    async def arrive() -> None:
        waking.append(asyncio.create_task(messengers.apply(tape.record(person(3), "v3"))))
        await until(waits_or_is_through)

    async def waits_or_is_through() -> bool:
        return waking[0].done() or bool(await messengers.column(BLOCKED))

    async with held_commit(messengers, arrive):
        await loop.step()
    await asyncio.gather(*waking)
    [next_due_at] = await messengers.column("SELECT next_due_at FROM ledger")

    assert next_due_at < DUE
    assert next_due_at <= messengers.clock.now()
