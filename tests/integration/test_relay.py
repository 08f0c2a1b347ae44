"""Outbox and relay: what is committed leaves in order, once it can, and never under a second name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka.errors import KafkaError

from duly_chassis import outbox
from duly_chassis.relay import Relay
from duly_contracts.topics import DECISIONS
from tests.support import kafka
from tests.support.bench import Bench
from tests.support.records import Tape, assigned
from tests.support.waiting import until

pytestmark = pytest.mark.connected

PUBLISHED = "SELECT published_at IS NOT NULL FROM outbox ORDER BY id"
GROUP = "ring-reader"


@asynccontextmanager
async def relay(toys: Bench, bootstrap: str = "") -> AsyncIterator[Relay]:
    """Give a relay of the toy's outbox; each is what a replica would have."""
    settings = toys.settings.model_copy(update={"kafka_bootstrap": bootstrap or toys.settings.kafka_bootstrap})
    made = Relay(settings, toys.database, toys.metrics)
    try:
        yield made
    finally:
        await made.close()


async def told(toys: Bench, number: int, people: int = 1) -> None:
    """Have the toy write this many events into its outbox, about several people in turn."""
    tape = Tape()
    await toys.apply(*(tape.record(assigned(f"a{n}", person_id=f"p{n % people}"), f"e{n}") for n in range(number)))


async def test_events_leave_in_the_order_of_their_key_and_are_marked_once_acknowledged(toys: Bench) -> None:
    """RELIABILITY 5.13, 5.14; B-52: what was committed is published, in order per person."""
    await told(toys, 30, people=3)
    since = await kafka.skip_to_end(toys.settings.kafka_bootstrap, GROUP, [DECISIONS])
    async with relay(toys) as relaying:
        assert await relaying.step() is False
    records = await kafka.tail(toys.settings.kafka_bootstrap, since, 30)

    for person in range(3):
        of_person = [dict(one.headers)["ce_subject"] for one in records if one.key == f"acme/p{person}".encode()]
        assert of_person == [f"a{n}".encode() for n in range(person, 30, 3)]
    assert await toys.column(PUBLISHED) == [True] * 30


async def test_full_batch_asks_for_another_round(toys: Bench) -> None:
    await told(toys, 3)
    async with relay(toys) as relaying:
        relaying._settings = toys.settings.model_copy(update={"relay_batch_max": 2})
        assert [await relaying.step(), await relaying.step()] == [True, False]


async def test_relay_that_may_not_publish_wakes_the_one_that_may(toys: Bench) -> None:
    """B-52: what one replica committed does not wait for the tick of the other, which holds the lock."""
    async with relay(toys) as first, relay(toys) as second:
        context = toys.context()
        await first.started(context)()
        assert not await context.wake.wait(0)
        await told(toys, 1)
        await second.step()
        assert await context.wake.wait(5)


async def test_second_relay_waits_until_the_connection_of_the_first_dies(toys: Bench) -> None:
    """RELIABILITY 5.14: two relays at once would break the order; the lock is the session's."""
    async with relay(toys) as first, relay(toys) as second:
        await first.step()
        await told(toys, 2)
        assert await second.step() is False
        assert await toys.column(PUBLISHED) == [False, False]

        cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
        assert await toys.column(cut) == [True]
        await second.step()
        assert await toys.column(PUBLISHED) == [True, True]
        assert await first.step() is False  # the lock is the other's now


async def test_relay_that_closes_gives_its_lock_back(toys: Bench) -> None:
    async with relay(toys) as second:
        async with relay(toys) as first:
            await first.step()
            assert await second.step() is False
        await until(lambda: free(toys))
        await told(toys, 1)
        await second.step()

    assert await toys.column(PUBLISHED) == [True]


async def free(toys: Bench) -> bool:
    """Tell whether nobody in this database holds an advisory lock."""
    return not await toys.column("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")


async def test_events_wait_in_the_outbox_while_the_broker_is_away_and_leave_afterwards(
    toys: Bench, unused_tcp_port: int
) -> None:
    """RELIABILITY 3.2, 5.13: an outage of the broker delays, and loses nothing."""
    await told(toys, 2)
    since = await kafka.skip_to_end(toys.settings.kafka_bootstrap, GROUP, [DECISIONS])
    async with relay(toys, f"127.0.0.1:{unused_tcp_port}") as relaying:
        for _ in range(2):
            with pytest.raises(KafkaError):
                await relaying.step()
        assert await toys.column(PUBLISHED) == [False, False]

        async with forwarding(unused_tcp_port, toys.settings.kafka_bootstrap):
            await relaying.step()
            assert await toys.column(PUBLISHED) == [True, True]
    assert len(await kafka.tail(toys.settings.kafka_bootstrap, since, 2)) == 2


async def test_event_published_twice_is_the_same_fact_both_times(toys: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """RELIABILITY 5.6, 5.7: dying between the broker's word and our note of it doubles a record, never a fact."""
    await told(toys, 1)
    since = await kafka.skip_to_end(toys.settings.kafka_bootstrap, GROUP, [DECISIONS])

    async def dies(*_arguments: object) -> None:
        raise ConnectionResetError

    async with relay(toys) as relaying:
        with monkeypatch.context() as patch:
            patch.setattr(outbox, "mark_published", dies)
            with pytest.raises(ConnectionResetError):
                await relaying.step()
        await relaying.step()
    first, second = await kafka.tail(toys.settings.kafka_bootstrap, since, 2)

    assert (first.headers, first.value) == (second.headers, second.value)
    assert first.offset != second.offset


async def test_relay_whose_question_for_the_lock_failed_does_not_believe_to_hold_it(toys: Bench) -> None:
    """RELIABILITY 5.14: an answer that never came is no lock."""
    await told(toys, 1)
    async with relay(toys) as first, relay(toys) as second:
        await first.step()
        lock, second._lock = second._lock, "no number"  # type: ignore[assignment]
        with pytest.raises(Exception, match="no number"):
            await second.step()
        second._lock = lock
        assert await second.step() is False
        assert second._holding is None


@asynccontextmanager
async def forwarding(port: int, bootstrap: str) -> AsyncIterator[None]:
    """Let a port lead to the broker for as long as the block lasts."""
    host, _, to = bootstrap.partition(":")
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while content := await reader.read(65_536):
            writer.write(content)
            await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(to))
        writers.extend((writer, back))
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for writer in writers:
            writer.close()
