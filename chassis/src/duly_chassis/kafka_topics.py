"""The topics of this release in Kafka: made by `duly migrate`, held against what is there by `duly doctor`."""

import asyncio
from collections.abc import Callable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from duly_chassis.plain import PlainError
from duly_contracts import topics

DEADLINE_MS = 30_000
DAY_MS = 86_400_000
RECORD_BYTES_MAX = 1_048_576
COPIES_MAX = 3  # of each partition, where there are as many brokers


class TopicRefused(PlainError):
    """The brokers do not make a topic; the text names it and says why."""


async def create(bootstrap: str, say: Callable[[str], None]) -> None:
    """Create the topics that are missing; an existing one keeps its partitions, for they are fixed at creation.

    Raises TopicRefused.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=DEADLINE_MS)
    async with asyncio.timeout(DEADLINE_MS / 1000):
        await admin.start()
        try:
            brokers = len((await admin.describe_cluster())["brokers"])
            answer = await admin.create_topics([_new(topic, min(brokers, COPIES_MAX)) for topic in topics.ALL])
        finally:
            await admin.close()
    for name, code, *_ in answer.topic_errors:  # type: ignore[attr-defined]  # aiokafka types answers by their base
        error = for_code(code)
        if error is TopicAlreadyExistsError:
            continue
        if code:
            raise TopicRefused(f"topic {name}: {error.__name__}")
        say(f"topic {name}")


def _new(topic: topics.Topic, copies: int) -> NewTopic:
    """Describe a topic to the broker."""
    configs = {"max.message.bytes": str(RECORD_BYTES_MAX)}
    if topic.compacted:
        configs["cleanup.policy"] = "compact"
    else:
        configs["retention.ms"] = str(topic.retention_days * DAY_MS)
    return NewTopic(topic.name, topic.partitions, copies, topic_configs=configs)
