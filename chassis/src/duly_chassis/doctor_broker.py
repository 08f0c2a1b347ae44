"""Checks the brokers: reachable, also where they say themselves that they are, and every topic as it was made.

Kafka's protocol tells nobody the time, so a broker's clock is not compared.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from duly_chassis.doctor import Check, Finding, ok, problem, warning
from duly_chassis.kafka_topics import COPIES_MAX, DAY_MS, RECORD_BYTES_MAX
from duly_contracts import topics
from duly_contracts.topics import Topic

CONNECT_DEADLINE_S = 3.0
REQUEST_DEADLINE_MS = 4_000
FOR_EVER = -1
NO_LEADER = -1
ALTER = "kafka-configs.sh --alter --entity-type topics --entity-name {} --add-config {}"


@dataclass(frozen=True, slots=True)
class Made:
    """A topic as the brokers know it."""

    copies: Sequence[int]
    """Of each partition."""
    leaderless: int = 0
    """Partitions that nobody can read or write now."""
    configs: Mapping[str, str] = field(default_factory=dict)


def check(bootstrap: str) -> Check:
    """Return the check of the brokers; services that share them ask once."""

    async def ask() -> Sequence[Finding]:
        brokers = await _brokers(bootstrap)
        if not brokers:
            wrong = "no broker answers there"
            return [problem("broker", wrong, "start Kafka, or correct host and port in DULY_KAFKA_BOOTSTRAP")]
        if astray := [number for number, answers in brokers.items() if not answers]:
            listed = ", ".join(map(str, sorted(astray)))
            wrong = f"the first contact answers, but the address that broker {listed} itself gives cannot be reached"
            return [problem("broker", wrong, "set the broker's advertised.listeners to what this machine can reach")]
        return [ok("broker"), *faults(await _made(bootstrap), len(brokers))]

    return Check("broker", ask, once=("broker", bootstrap))


def faults(made: Mapping[str, Made], brokers: int) -> list[Finding]:
    """Say of every topic what is not as the code wants it; one word where all are."""
    found = [finding for topic in topics.ALL for finding in _of_topic(topic, made.get(topic.name), brokers)]
    return found or [ok("topics")]


def _of_topic(topic: Topic, made: Made | None, brokers: int) -> Iterator[Finding]:
    name = f"topic {topic.name}"
    if made is None:
        yield problem(name, "it is not there", "run `duly migrate`")
        return
    if len(made.copies) != topic.partitions:
        wrong = f"it has {len(made.copies)} partitions, and {topic.partitions} are needed"
        yield problem(name, wrong, "partitions are fixed: stop the services, make the topic anew, see the runbooks")
    if made.leaderless:
        wrong = f"{made.leaderless} of its partitions have no broker that leads them"
        yield problem(name, wrong, "start the brokers that are missing, and look into their logs")
    if min(made.copies, default=0) < min(brokers, COPIES_MAX):
        wrong = f"it has {min(made.copies, default=0)} copies, and there are {brokers} brokers"
        yield warning(name, wrong, "raise it with kafka-reassign-partitions.sh: a lost broker loses no record then")
    yield from _of_configs(topic, name, made.configs)


def _of_configs(topic: Topic, name: str, configs: Mapping[str, str]) -> Iterator[Finding]:
    policy = "compact" if topic.compacted else "delete"
    said = configs.get("cleanup.policy", policy)
    if said != policy:
        wrong = f"its cleanup.policy is {said}, and {policy} is needed"
        yield problem(name, wrong, ALTER.format(topic.name, f"cleanup.policy={policy}"))
    wanted_ms, kept_ms = topic.retention_days * DAY_MS, int(configs.get("retention.ms", FOR_EVER))
    if not topic.compacted and kept_ms not in range(wanted_ms, 2**63) and kept_ms != FOR_EVER:
        wrong = f"it keeps records for less than {topic.retention_days} days: a service that rests longer loses some"
        yield warning(name, wrong, ALTER.format(topic.name, f"retention.ms={wanted_ms}"))
    if int(configs.get("max.message.bytes", RECORD_BYTES_MAX)) < RECORD_BYTES_MAX:
        wrong = f"it refuses records of {RECORD_BYTES_MAX} bytes"
        yield problem(name, wrong, ALTER.format(topic.name, f"max.message.bytes={RECORD_BYTES_MAX}"))


async def _brokers(bootstrap: str) -> dict[int, bool]:
    """Return each broker by its id, and whether it answers at the address that it gives; none: no first contact."""
    client = AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_DEADLINE_MS)
    try:
        await client.bootstrap()
        known = {one.nodeId: (one.host, one.port) for one in client.cluster.brokers()}
    except (KafkaError, OSError):
        return {}
    finally:
        await client.close()
    answers = await asyncio.gather(*(_answers(host, port) for host, port in known.values()))
    return dict(zip(known, answers, strict=True))


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_DEADLINE_S):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def _made(bootstrap: str) -> dict[str, Made]:
    """Return our topics as they are; raises the client's error."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=REQUEST_DEADLINE_MS)
    await admin.start()
    try:
        told = {one["topic"]: one["partitions"] for one in await admin.describe_topics()}  # all: asking by name makes
        ours = [topic.name for topic in topics.ALL if topic.name in told]
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in ours]
        configs = _configs(await admin.describe_configs(asked)) if asked else {}
    finally:
        await admin.close()
    return {
        name: Made(
            [len(one["replicas"]) for one in told[name]],
            sum(one["leader"] == NO_LEADER for one in told[name]),
            configs.get(name, {}),
        )
        for name in ours
    }


def _configs(answers: Sequence[Any]) -> dict[str, dict[str, str]]:
    """Read what describe_configs answers: by topic, each setting with its value."""
    resources = [resource for answer in answers for resource in answer.resources]
    return {name: {entry[0]: entry[1] for entry in entries} for *_, name, entries in resources}
