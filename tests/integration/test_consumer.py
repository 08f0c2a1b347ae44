"""The whole toy service on the real broker: batches, acknowledgements, brakes and rebuilt logs."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import typer
from aiokafka.errors import CommitFailedError
from aiokafka.structs import TopicPartition
from faststream.kafka.message import KafkaAckableMessage

from duly_chassis import brakes, serving
from duly_chassis.applying import Read
from duly_cli import up
from duly_contracts.decode import Fact
from duly_local.places import ADDRESSES
from tests.support import http, kafka
from tests.support.hosted import GROUP, Outside, hosted
from tests.support.records import Tape, assigned, withdrawn
from tests.support.toy import ENTRY, Switches, ToySettings, service
from tests.support.waiting import until

pytestmark = pytest.mark.connected

FAR = 1_000_000
TOPICS = service(Switches.free()).topics


async def test_one_bad_json_among_good_records_loses_nothing(toy_settings: ToySettings, outside: Outside) -> None:
    """B-49, B-50; RELIABILITY 3.1 and 5.2: FastStream's own decoder lost the three good ones (measured)."""
    tape = Tape()
    records = [tape.record(assigned(f"a{n}"), f"e{n}") for n in range(4)]
    records[1] = tape.record(assigned("bad"), "bad", value=b'{"tenant_id": ')
    await kafka.publish(toy_settings.kafka_bootstrap, *records)
    async with hosted(toy_settings):
        assert await outside.until_happened(3) == ["a0", "a2", "a3"]
    async with hosted(toy_settings):
        await kafka.publish(toy_settings.kafka_bootstrap, tape.record(assigned("later"), "later"))
        assert await outside.until_happened(4) == ["a0", "a2", "a3", "later"]

    assert await outside.dead_letters() == 1


async def test_death_between_commit_and_acknowledgement_doubles_nothing(
    toy_settings: ToySettings, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-50, B-51; RELIABILITY 5.6, 5.9: the batch comes again, and the stored offset drops it."""
    bootstrap, tape = toy_settings.kafka_bootstrap, Tape()

    async def lost(_message: object) -> None:
        raise CommitFailedError

    before = await kafka.committed(bootstrap, GROUP)
    counted = {"service": "toy"}
    with monkeypatch.context() as patch:
        patch.setattr(KafkaAckableMessage, "ack", lost)
        async with hosted(toy_settings) as first:
            await kafka.publish(bootstrap, *(tape.record(assigned(f"a{n}"), f"e{n}") for n in range(3)))
            await outside.until_happened(3)
            await until(lambda: first.host.metrics.registry.get_sample_value("duly_acks_lost_total", counted))
    assert await kafka.committed(bootstrap, GROUP) == before

    async with hosted(toy_settings):
        await kafka.publish(bootstrap, tape.record(assigned("later"), "later"))
        assert await outside.until_happened(4) == ["a0", "a1", "a2", "later"]
        await until(lambda: moved(bootstrap, before))


async def test_batch_that_nobody_wants_wakes_no_loop(toy_settings: ToySettings, outside: Outside) -> None:
    """A service that reads back what it has told itself is not kept busy by it; the offsets move on all the same."""
    bootstrap, tape, woken = toy_settings.kafka_bootstrap, Tape(), []
    async with hosted(toy_settings) as running:
        running.host._consumer.committed.append(lambda: woken.append(1))
        before = await kafka.committed(bootstrap, GROUP)
        await kafka.publish(bootstrap, tape.record(withdrawn("a0"), "unwanted"))
        await until(lambda: moved(bootstrap, before))  # acknowledged, so whatever is woken was woken before
        assert woken == []
        await kafka.publish(bootstrap, tape.record(assigned("a1"), "wanted"))
        assert await outside.until_happened(1) == ["a1"]
        await until(lambda: woken)

    assert woken == [1]


async def moved(bootstrap: str, before: object) -> bool:
    """Tell whether the group has acknowledged more than before."""
    return await kafka.committed(bootstrap, GROUP) != before


async def test_too_much_poison_holds_the_consumer_until_a_named_person_lets_it_go_on(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 5.11, 8: a bad schema must not empty the topic into the dead letters."""
    await flood(toy_settings)
    async with hosted(toy_settings, ready=False) as running:
        await until(lambda: held(running.address))
        status, said = await http.get(running.address, "/health/ready")
        assert (status, said["brake"]) == (503, "held: dead-letters")
        assert (await outside.happened(), await outside.dead_letters()) == ([], 0)

        release = {"name": brakes.DEAD_LETTERS, "by": "ada", "reason": "the sender is mended"}
        nameless = await http.post(running.address, "/v1/brakes/release", {**release, "by": ""})
        assert nameless == (400, {"error": "needs_by"})
        assert await held(running.address)
        assert await http.post(running.address, "/v1/brakes/release", release) == (200, {"released": "dead-letters"})
        assert await outside.until_happened(1) == ["good"]
        assert await outside.dead_letters() == 25
        assert await http.post(running.address, "/v1/brakes/release", release) == (404, {"error": "not_held"})

    released = await outside.connection.fetchrow("SELECT released_by, release_reason FROM brakes")
    assert tuple(released or ()) == ("ada", "the sender is mended")


async def test_held_consumer_writes_nothing_when_it_is_stopped_and_started_again(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 8: neither time nor a restart releases a brake."""
    await flood(toy_settings)
    async with hosted(toy_settings, ready=False) as first:
        await until(lambda: held(first.address))
    assert (await outside.happened(), await outside.dead_letters()) == ([], 0)

    one_by_one = toy_settings.model_copy(update={"batch_records_max": 1})
    async with hosted(one_by_one, ready=False) as second:
        assert await held(second.address)
        await until(lambda: second.host._consumer.holding.by)
        assert (await outside.happened(), await outside.dead_letters()) == ([], 0)


async def flood(settings: ToySettings) -> None:
    """Publish 25 records that nobody can read, and a good one."""
    tape = Tape()
    poison = [tape.record(assigned("bad"), f"bad{n}", value=b"{") for n in range(25)]
    await kafka.publish(settings.kafka_bootstrap, *poison, tape.record(assigned("good"), "good"))


async def held(address: str) -> list[str]:
    """Return the names of the brakes that hold."""
    _, brakes_held = await http.get(address, "/v1/brakes")
    return [brake["name"] for brake in brakes_held]


async def test_rebuilt_broker_opens_a_new_epoch_and_nothing_is_dropped(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 5.6: an offset guard alone would take everything for redeliveries, in silence."""
    await stored(outside, FAR, "the cluster before")
    async with hosted(toy_settings):
        await kafka.publish(toy_settings.kafka_bootstrap, Tape().record(assigned("a1"), "e1"))
        assert await outside.until_happened(1) == ["a1"]

    now = await outside.connection.fetchrow(
        "SELECT epoch, cluster_id FROM consumer_offsets WHERE topic = 'duly.training'"
    )
    assert tuple(now or ()) == (1, await kafka.cluster_id(toy_settings.kafka_bootstrap))


async def test_acknowledgement_meant_for_a_lost_broker_hides_nothing_in_the_new_one(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 5.6, section 9, C3: it was on its way when the broker died, and the new cluster took it."""
    bootstrap, tape = toy_settings.kafka_bootstrap, Tape()
    await stored(outside, FAR, "the cluster before")
    await kafka.publish(bootstrap, *(tape.record(assigned(f"a{n}"), f"e{n}") for n in range(3)))
    await kafka.skip_to_end(bootstrap, GROUP, TOPICS)
    async with hosted(toy_settings):
        assert await outside.until_happened(3) == ["a0", "a1", "a2"], "nothing more comes by which to notice it"


async def test_rebuilt_log_that_a_running_consumer_went_on_in_is_read_from_its_beginning(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 5.6, section 9, C3: it had grown past the old place meanwhile, so a record lies before it unread."""
    bootstrap, tape = toy_settings.kafka_bootstrap, Tape()
    async with hosted(toy_settings) as running:
        await kafka.publish(bootstrap, tape.record(assigned("a1"), "e1"))
        await outside.until_happened(1)
        await outside.connection.execute("UPDATE consumer_offsets SET cluster_id = 'the cluster before'")
        place = TopicPartition("duly.training", 0)
        running.host._subscriber.consumer.seek(place, (await kafka.committed(bootstrap, GROUP))[place] + 1)
        await kafka.publish(bootstrap, *(tape.record(assigned(f"a{n}"), f"e{n}") for n in (2, 3)))

        assert await outside.until_happened(3) == ["a1", "a2", "a3"]


async def test_epoch_that_begins_under_a_batch_sends_it_back(
    toy_settings: ToySettings, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 5.6: it was read at a place of the old log, so nothing of it counts in the new epoch."""
    bootstrap, tape, told = toy_settings.kafka_bootstrap, Tape(), list[list[str]]()
    async with hosted(toy_settings) as running:
        await kafka.publish(bootstrap, tape.record(assigned("a1"), "e1"))
        await outside.until_happened(1)
        real = running.host._lanes.apply

        async def apply(reads: Sequence[Read], *more: Any, **options: Any) -> int:
            told.append([read.outcome.id for read in reads if isinstance(read.outcome, Fact)])
            if len(told) == 1:
                await outside.connection.execute("UPDATE consumer_offsets SET epoch = epoch + 1, next_offset = 0")
            return await real(reads, *more, **options)

        monkeypatch.setattr(running.host._lanes, "apply", apply)
        await kafka.publish(bootstrap, tape.record(assigned("a2"), "e2"))
        assert await outside.until_happened(2) == ["a1", "a2"]

    assert told[0] == ["e2"]
    assert [event for events in told[1:] for event in events][:2] == ["e1", "e2"]


async def test_epoch_that_begins_while_nothing_comes_is_read_from_its_beginning(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 5.6: what was read under the old epoch comes again; nobody knows its events here, so it is seen."""
    async with hosted(toy_settings) as running:
        await kafka.publish(toy_settings.kafka_bootstrap, Tape().record(assigned("a1"), "e1"))
        await outside.until_happened(1)
        await outside.connection.execute("DELETE FROM inbox")
        await outside.connection.execute("UPDATE consumer_offsets SET epoch = epoch + 1, next_offset = 0")
        running.host._consumer.assigned()  # as a rebalance does; else within half a minute

        assert await outside.until_happened(2) == ["a1", "a1"]


async def test_log_shorter_than_what_was_applied_is_held_for_a_person(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 5.6: the same cluster with less than was applied: stop, tell people, then open a new epoch."""
    bootstrap = toy_settings.kafka_bootstrap
    await stored(outside, FAR, await kafka.cluster_id(bootstrap))
    await kafka.publish(bootstrap, Tape().record(assigned("a1"), "e1"))
    async with hosted(toy_settings, ready=False) as running:
        assert await held(running.address) == ["short-log"]
        assert (await http.get(running.address, "/health/ready"))[0] == 503
        assert await outside.happened() == []
        await http.post(running.address, "/v1/brakes/release", {"name": "short-log", "by": "ada", "reason": "known"})
        assert await outside.until_happened(1) == ["a1"]
        await until(lambda: ready(running.address))

    assert await outside.connection.fetchval("SELECT epoch FROM consumer_offsets WHERE topic = 'duly.training'") == 1


async def test_log_that_became_shorter_under_a_running_consumer_is_noticed_before_it_is_dropped(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY 5.6: as when a topic is deleted and created again while the service runs."""
    bootstrap, tape = toy_settings.kafka_bootstrap, Tape()
    async with hosted(toy_settings) as running:
        await kafka.publish(bootstrap, tape.record(assigned("a1"), "e1"))
        await outside.until_happened(1)
        await outside.connection.execute("UPDATE consumer_offsets SET next_offset = $1", FAR)
        await kafka.publish(bootstrap, tape.record(assigned("a2"), "e2"))
        await until(lambda: held(running.address))
        await http.post(running.address, "/v1/brakes/release", {"name": "short-log", "by": "ada", "reason": "known"})
        assert await outside.until_happened(2) == ["a1", "a2"]


async def test_log_that_was_made_again_and_grew_past_the_stored_offset_loses_nothing(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY section 9, C3: then neither cluster nor end tells, only that nobody has seen these events."""
    bootstrap, tape = toy_settings.kafka_bootstrap, Tape()
    begin = (await kafka.committed(bootstrap, GROUP))[TopicPartition("duly.training", 0)]
    await kafka.publish(bootstrap, *(tape.record(assigned(f"a{n}"), f"e{n}") for n in range(3)))
    await stored(outside, begin + 2, await kafka.cluster_id(bootstrap))
    async with hosted(toy_settings):
        assert await outside.until_happened(3) == ["a2", "a0", "a1"]

    rows = "SELECT next_offset FROM consumer_offsets WHERE topic = 'duly.training'"
    reached = await outside.connection.fetchval(rows)
    assert reached == begin + 3


async def test_records_deleted_before_they_were_applied_are_held_for_a_person(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY section 9, C3: aiokafka goes on behind the gap without a word, so the service itself must notice."""
    bootstrap, tape = toy_settings.kafka_bootstrap, Tape()
    async with hosted(toy_settings):
        await kafka.publish(bootstrap, tape.record(assigned("a1"), "e1"))
        await outside.until_happened(1)
    await kafka.publish(bootstrap, tape.record(assigned("lost"), "e2"), tape.record(assigned("a3"), "e3"))
    await kafka.delete_before_last(bootstrap, "duly.training", 0)
    async with hosted(toy_settings, ready=False) as running:
        assert await held(running.address) == ["lost-records"]
        assert await outside.happened() == ["a1"]
        order = {"name": "lost-records", "by": "ada", "reason": "published again"}
        await http.post(running.address, "/v1/brakes/release", order)
        assert await outside.until_happened(2) == ["a1", "a3"]
        await until(lambda: ready(running.address))


async def test_records_deleted_under_a_consumer_that_lags_are_noticed_before_what_follows_is_applied(
    toy_settings: ToySettings, outside: Outside
) -> None:
    """RELIABILITY section 9, C3: no restart, no look at the log in between."""
    bootstrap, tape = toy_settings.kafka_bootstrap, Tape()
    async with hosted(toy_settings) as running:
        await kafka.publish(bootstrap, tape.record(assigned("a1"), "e1"))
        await outside.until_happened(1)
        # As if what came between had been deleted: the stored offset and the consumer's own lie before the log's begin.
        await kafka.delete_before_last(bootstrap, "duly.training", 0)
        await outside.connection.execute("UPDATE consumer_offsets SET next_offset = 1 WHERE topic = 'duly.training'")
        running.host._consumer._positions.begin_anew()
        await kafka.publish(bootstrap, tape.record(assigned("a3"), "e3"))
        await until(lambda: held(running.address))

        assert await held(running.address) == ["lost-records"]
        assert await outside.happened() == ["a1"]


async def ready(address: str) -> bool:
    """Tell whether the service says it is ready."""
    return (await http.get(address, "/health/ready"))[0] == 200


async def stored(outside: Outside, next_offset: int, cluster: str) -> None:
    """Have the database say that a partition was applied up to here, in this cluster."""
    await outside.connection.execute(
        "INSERT INTO consumer_offsets (topic, partition, next_offset, cluster_id) VALUES ('duly.training', 0, $1, $2)",
        next_offset,
        cluster,
    )


async def test_topic_that_is_listened_to_no_more_is_no_short_log(toy_settings: ToySettings, outside: Outside) -> None:
    """RELIABILITY 5.6: what an earlier release had read says nothing about the logs of this one."""
    cluster = await kafka.cluster_id(toy_settings.kafka_bootstrap)
    await outside.connection.execute(
        "INSERT INTO consumer_offsets (topic, partition, next_offset, cluster_id) VALUES ('duly.dropped', 0, $1, $2)",
        FAR,
        cluster,
    )
    async with hosted(toy_settings) as running:
        await kafka.publish(toy_settings.kafka_bootstrap, Tape().record(assigned("a1"), "e1"))
        assert await outside.until_happened(1) == ["a1"]
        assert await held(running.address) == []


async def test_replicas_share_partitions_by_number_over_all_topics(toy_settings: ToySettings, outside: Outside) -> None:
    """By range: a person's facts of every topic come to one replica. Round robin parts them with four replicas."""
    assert await outside.happened() == []
    async with AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(hosted(toy_settings, ready=False)) for _ in range(4)]

        def assigned_now() -> list[set[tuple[str, int]]]:
            consumers = [one.host._subscriber.consumer for one in replicas]
            return [{(place.topic, place.partition) for place in one.assignment()} for one in consumers if one]

        def shared_out() -> bool:
            found = assigned_now()
            return len(found) == 4 and all(found) and sum(len(places) for places in found) == 12

        await until(shared_out, within_s=40)
        for places in assigned_now():
            numbers = {topic: {number for of, number in places if of == topic} for topic, _ in places}
            assert numbers["duly.training"] == numbers["duly.people"]


@pytest.mark.parametrize("settles", [True, False], ids=["ready but for the brake", "never ready"])
async def test_service_held_by_a_brake_starts_again_and_can_be_released(
    toy_settings: ToySettings, outside: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settles: bool
) -> None:
    """RELIABILITY 8: a person's word needs a process that hears it, so its address is noted before all is well."""
    await outside.connection.execute("INSERT INTO brakes (name, reason) VALUES ('dead-letters', 'too many')")
    await kafka.publish(toy_settings.kafka_bootstrap, Tape().record(assigned("a1"), "e1"))
    monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", lambda *_: None)
    said: list[str] = []
    monkeypatch.setattr(typer, "echo", said.append)
    if not settles:
        monkeypatch.setattr(serving, "settled", lambda *_: asyncio.Event().wait())
    running = asyncio.create_task(up._run([(ENTRY, toy_settings)], state=tmp_path))
    try:
        noted = tmp_path / ADDRESSES
        await until(lambda: noted.exists() and (not settles or any("duly brake list" in line for line in said)))
        address = json.loads(noted.read_text(encoding="utf-8"))["toy"]
        assert (await held(address), await outside.happened()) == (["dead-letters"], [])
        release = {"name": "dead-letters", "by": "ada", "reason": "mended"}
        assert (await http.post(address, "/v1/brakes/release", release))[0] == 200
        assert await outside.until_happened(1) == ["a1"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert not noted.exists()
