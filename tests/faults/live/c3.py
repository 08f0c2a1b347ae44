"""C3: the broker goes down and comes back, connections are cut, strangers join and leave the groups.

Then records are deleted under a group that lags, topics are made again under their names, and at last everything that
the broker had is lost.
"""

import asyncio
import shutil
import signal

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from tests.faults.live.braking import noticed, release_all
from tests.faults.live.clients import let_go
from tests.faults.live.rig import LISTENERS, Rig
from tests.faults.rules import Violation

DOWNS, CUTS, REBALANCES, DELETIONS = 6, 40, 10, 2
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
DOWN_S_MAX = 2.0
PAUSE_S = 0.4
JOIN_WITHIN_S = 40
STAY_S = 1.0
GROWN_WITHIN_S = 30
GROWN_MIN = 3
MADE_WITHIN_S = 30
TOPICS = {
    "reminders": ("duly.people", "duly.training"),
    "messenger": ("duly.people", "duly.training", "duly.outreach"),
}
PUBLISH_AGAIN = (
    "UPDATE reminders.outbox SET published_at = NULL",
    "UPDATE messenger.outbox SET published_at = NULL",
)
"""What the runbooks tell a person to do after a loss."""
EVERY_TOPIC = ("duly.people", "duly.training", "duly.outreach", "duly.decisions")


async def strike(rig: Rig) -> None:
    """Deal the smaller blows with the outages among them, then the losses one after the other."""
    strangers = asyncio.create_task(_strangers(rig))
    try:
        for number in range(CUTS):
            if number % (CUTS // DOWNS) == CUTS // DOWNS // 2 and number // (CUTS // DOWNS) < DOWNS:
                await down(rig, SIGNALS[number // (CUTS // DOWNS) % len(SIGNALS)])
            rig.note("cut", "kafka", connections=rig.proxies["kafka"].cut(rig.dice.randint(1, 4), rig.dice))
            await asyncio.sleep(PAUSE_S * rig.dice.uniform(0.5, 1.5))
        await strangers
    finally:
        strangers.cancel()
    for service in LISTENERS[:DELETIONS]:
        await delete_unread(rig, service)
    await make_topics_again(rig)
    await lose_everything(rig)


async def down(rig: Rig, number: signal.Signals) -> None:
    """Take the broker away for a moment."""
    rig.say(f"broker down by {number.name}\n")
    async with rig.blow("down", "kafka"):
        await rig.kafka.strike(number)
        await asyncio.sleep(rig.dice.uniform(0, DOWN_S_MAX))
        await rig.kafka.up()


async def _strangers(rig: Rig) -> None:
    """Force rebalances: somebody joins a group, is given partitions, reads nothing, and leaves."""
    for number in range(REBALANCES):
        await stranger(rig, LISTENERS[number % len(LISTENERS)])


async def stranger(rig: Rig, service: str) -> None:
    """Join and leave one group, however often the broker goes away meanwhile."""
    while True:
        consumer = AIOKafkaConsumer(
            *TOPICS[service],
            bootstrap_servers=rig.bootstrap,
            group_id=f"duly-{service}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
        )
        try:
            async with asyncio.timeout(JOIN_WITHIN_S):
                await consumer.start()
                await asyncio.sleep(STAY_S)
        except (KafkaError, OSError, TimeoutError):
            await let_go(consumer.stop())
        else:
            if await let_go(consumer.stop()):
                rig.note("rebalance", "kafka", group=service)
                return


async def delete_unread(rig: Rig, service: str) -> None:
    """Delete records that a service has not read yet; it must notice, and wait for a person."""
    rig.say(f"records deleted under {service}\n")
    for replica in rig.of(service):
        await replica.end()
    async with rig.blow("delete", f"kafka-{service}"):
        place, end = await _unread(rig)
        admin = AIOKafkaAdminClient(bootstrap_servers=rig.bootstrap)
        await admin.start()
        try:
            await admin.delete_records({place: RecordsToDelete(before_offset=end)})
            rig.note("deleted", f"{place.topic}[{place.partition}]", before=end, cluster=rig.feeder.cluster)
        finally:
            await admin.close()
        for replica in rig.of(service):
            replica.start()
        await noticed(rig, [service], "lost-records")
        async with rig.feeder.lock:
            await rig.feeder.tell_all_again()
        await release_all(rig)


async def make_topics_again(rig: Rig) -> None:
    """Delete every topic and make it again: the same cluster, offsets from 0. A brake must hold them for a person."""
    rig.say("topics made again\n")
    async with rig.feeder.lock, rig.blow("topics made again", "kafka"):
        admin = AIOKafkaAdminClient(bootstrap_servers=rig.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics(list(EVERY_TOPIC))
        finally:
            await admin.close()
        await _made(rig)
        await noticed(rig, LISTENERS, "short-log")
        await release_all(rig)
        await _tell_again(rig)


async def lose_everything(rig: Rig) -> None:
    """Wipe the broker's data: a new cluster, offsets from 0. The services begin a new epoch by themselves."""
    rig.say("total loss\n")
    async with rig.feeder.lock, rig.blow("total loss", "kafka"):
        await rig.kafka.strike(signal.SIGKILL)
        shutil.rmtree(rig.place.root / "kafka" / "kafka" / "data")
        await rig.kafka.up()
        await _made(rig)
        await _tell_again(rig)
    await release_all(rig)  # what was in hand when the broker died may have been counted in the new cluster


async def _made(rig: Rig) -> None:
    """Make the topics; a deletion that is still under way lets that fail."""
    rig.feeder.cluster += 1
    for _ in range(MADE_WITHIN_S):
        try:
            await asyncio.to_thread(rig.migrate)
        except RuntimeError as error:
            rig.say(f"{error}\n")
            await asyncio.sleep(1)
        else:
            return
    rig.broken.append(Violation("rig", "topics could not be made again"))


async def _tell_again(rig: Rig) -> None:
    """Publish again what only the broker had, as the runbook says: outboxes, and the source's own facts."""
    connection = await asyncpg.connect(rig.database_url)
    try:
        for order in PUBLISH_AGAIN:
            await connection.execute(order)
    finally:
        connection.terminate()
    await rig.feeder.tell_all_again()


async def _unread(rig: Rig) -> tuple[TopicPartition, int]:
    """Wait until some partition has grown by a few records from now on; return it with its end.

    Nobody who died before has read those. How far a group was behind when it was last asked says less: what it applied
    between that and its death leaves no gap.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=rig.bootstrap)
    await consumer.start()
    try:
        places = [TopicPartition("duly.training", number) for number in range(6)]
        before = await consumer.end_offsets(places)
        for again in (False, True):
            if again:  # the story is over: then old facts, told once more, are what is not read yet
                async with rig.feeder.lock:
                    await rig.feeder.tell_all_again()
            for _ in range(GROWN_WITHIN_S):
                ends = await consumer.end_offsets(places)
                place = max(places, key=lambda one: ends[one] - before[one])
                if ends[place] - before[place] >= GROWN_MIN:
                    return place, ends[place]
                await asyncio.sleep(1)
    finally:
        await let_go(consumer.stop())
    raise TimeoutError(f"no log grew by {GROWN_MIN} records")
