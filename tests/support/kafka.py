"""The real broker, from a test's side: publish records, move a group, read a topic."""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from duly_chassis.dead_letters import Raw
from duly_contracts.topics import Topic

CHUNK = 4096


async def publish(bootstrap: str, *records: Raw) -> None:
    """Put these records on their partitions, in this order."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=50, max_request_size=1_048_576)
    await producer.start()
    try:
        waits = [
            await producer.send(one.topic, one.value, key=one.key, partition=one.partition, headers=[*one.headers])
            for one in records
        ]
        for wait in waits:
            await wait
    finally:
        await producer.stop()


def places(topics: Sequence[Topic]) -> list[TopicPartition]:
    """Return every partition of these topics."""
    return [TopicPartition(topic.name, number) for topic in topics for number in range(topic.partitions)]


async def skip_to_end(bootstrap: str, group: str, topics: Sequence[Topic]) -> dict[TopicPartition, int]:
    """Let a group that has no members begin where the topics end now; return these offsets."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(places(topics))
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places(topics))
        await consumer.commit(ends)
        return ends
    finally:
        await consumer.stop()


async def empty(bootstrap: str, group: str) -> bool:
    """Tell whether a group has no members left; a killed one is missed only after its session's time."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        (described,) = await admin.describe_consumer_groups([group])
        ((_, _, state, *_),) = described.groups  # type: ignore[attr-defined]  # aiokafka types answers by their base
        return bool(state in {"Empty", "Dead"})
    finally:
        await admin.close()


async def delete_before_last(bootstrap: str, topic: str, partition: int) -> None:
    """Delete every record of a partition but its last, as retention would."""
    await _delete(bootstrap, [TopicPartition(topic, partition)], but=1)


async def delete_all(bootstrap: str, topics: Sequence[Topic]) -> None:
    """Delete every record of these topics, as if the broker had lost them; offsets go on. None of compacted ones."""
    await _delete(bootstrap, places([topic for topic in topics if not topic.compacted]), but=0)


async def _delete(bootstrap: str, among: list[TopicPartition], but: int) -> None:
    consumer, admin = AIOKafkaConsumer(bootstrap_servers=bootstrap), AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await consumer.start()
    await admin.start()
    try:
        ends = await consumer.end_offsets(among)
        await admin.delete_records(
            {place: RecordsToDelete(before_offset=end - but) for place, end in ends.items() if end > but}
        )
    finally:
        await consumer.stop()
        await admin.close()


async def committed(bootstrap: str, group: str) -> dict[TopicPartition, int]:
    """Return what a group has acknowledged."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        known = await admin.list_consumer_group_offsets(group)
        return {place: found.offset for place, found in known.items()}
    finally:
        await admin.close()


async def cluster_id(bootstrap: str) -> str:
    """Return who the broker says it is."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return str((await admin.describe_cluster())["cluster_id"])
    finally:
        await admin.close()


async def tail(bootstrap: str, since: dict[TopicPartition, int], number: int) -> list[Any]:
    """Return the first `number` records of each partition's end after these offsets, in the order of each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(list(since))
        for place, offset in since.items():
            consumer.seek(place, offset)
        found: list[Any] = []
        while len(found) < number:
            batches = await consumer.getmany(timeout_ms=500, max_records=CHUNK)
            found += [record for batch in batches.values() for record in batch]
        return found
    finally:
        await consumer.stop()


async def partitions(bootstrap: str) -> dict[str, int]:
    """Return every topic of the broker with the number of its partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        return {one["topic"]: len(one["partitions"]) for one in await admin.describe_topics()}
    finally:
        await admin.close()
