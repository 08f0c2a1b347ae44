"""A rehearsal from start to end: its own stack, every service in this process, the driver, and the summary."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml
from aiokafka import AIOKafkaProducer

from duly_chassis import entries, kafka_topics, migrate, serving
from duly_chassis.clock import DrivenClock
from duly_chassis.service import Entry, Service
from duly_chassis.settings import ServiceSettings
from duly_cli.rehearsal.driver import ONE_TICK, Driver
from duly_cli.rehearsal.idle import Idle
from duly_cli.rehearsal.play import Play
from duly_cli.rehearsal.progress import Progress, fingerprint
from duly_cli.rehearsal.summary import Summary, summarise
from duly_cli.rehearsal.ways import Way
from duly_cli.states import noted
from duly_local.stack import Endpoints, Stack

READY_S = 90
TICK_S = 1.0  # nothing waits for it: commits and the driven clock wake every loop


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What to play, where its state lies, and who hears of it."""

    play: Play
    state: Path
    way: Way
    """Where the messages go, and by which channel."""
    until: datetime | None
    say: Callable[[str], None]
    told: Callable[[datetime, int], None]
    ended: Callable[[Summary, Stack], Awaitable[None]]
    """Hears the outcome while everything still runs; the stack ends when it returns."""


def run(rehearsal: Rehearsal) -> Summary:
    """Play it; raises LocalError, MigrationError, OtherPlay, Unstarted or NeverIdle, each in plain words."""
    stack = Stack(rehearsal.state, inbox=rehearsal.way.inbox, say=rehearsal.say)
    with stack as endpoints:
        rehearsal.say("Schemas and topics.")
        migrate.schemas(endpoints.database_url, entries.every(), lambda _text: None)
        return asyncio.run(_play(rehearsal, stack, endpoints))


async def _play(rehearsal: Rehearsal, stack: Stack, endpoints: Endpoints) -> Summary:
    await kafka_topics.create(endpoints.kafka_bootstrap, lambda _text: None)
    progress = Progress(endpoints.database_url)
    reached, spent_s = await progress.open(fingerprint(rehearsal.play, rehearsal.way.name))
    try:
        clock = DrivenClock((reached or rehearsal.play.facts[0].instant) - ONE_TICK)
        wired = [(entry, settings(entry, rehearsal, endpoints)) for entry in entries.every()]
        async with serving.together(wired, clock) as running:
            hosts = [host for host, _ in running]
            rehearsal.say("Services are starting.")
            await serving.settled(hosts, READY_S)
            rehearsal.say("Playing." if reached is None else f"Going on from {reached.isoformat()}.")
            services = [host.service for host in hosts]
            addresses = {host.service.name: address for host, address in running}
            with noted(rehearsal.state, addresses):
                seconds = await _drive(rehearsal, stack, endpoints, services, clock, progress, reached, spent_s)
                summary = await summarise(rehearsal.play, addresses, endpoints, seconds)
                await rehearsal.ended(summary, stack)
            return summary
    finally:
        progress.close()


async def _drive(
    rehearsal: Rehearsal,
    stack: Stack,
    endpoints: Endpoints,
    services: Sequence[Service[Any]],
    clock: DrivenClock,
    progress: Progress,
    reached: datetime | None,
    spent_s: float,
) -> float:
    async def check() -> None:
        stack.check()

    async with (
        Idle(endpoints.database_url, endpoints.kafka_bootstrap, services) as idle,
        _producer(endpoints.kafka_bootstrap) as producer,
    ):
        driver = Driver(rehearsal.play, clock, idle, producer, progress, check, rehearsal.told)
        return await driver.run(reached, rehearsal.until, spent_s)


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=1)
    await producer.start()
    try:
        yield producer
    finally:
        await asyncio.wait([asyncio.create_task(producer.stop())], timeout=5)


def settings(entry: Entry, rehearsal: Rehearsal, endpoints: Endpoints) -> ServiceSettings:
    """Build a service's settings for a rehearsal: loopback only, free ports, a name that takes over after a crash."""
    values: dict[str, Any] = {
        "database_url": endpoints.database_url,
        "kafka_bootstrap": endpoints.kafka_bootstrap,
        "instance_id": f"rehearsal-{entry.name}",
        "http_port": 0,
        "tick_interval_s": TICK_S,
        "log_level": "error",
    }
    own: dict[str, dict[str, Any]] = {
        "intake": {"public_host": "127.0.0.1", "public_port": 0},
        "reminders": {"policy_file": policy_file(rehearsal)},
        "messenger": {
            **rehearsal.way.settings(rehearsal.state, endpoints),
            "loopback_only": True,
            "bounce_domain": None,  # a replay's mails come back to nobody, whatever the environment says
            "bounce_port": None,
            "default_zone": rehearsal.play.policy.default_zone,
            "tenant_zones": {},  # its tenant has this one, whatever the environment says
        },
    }
    return entry.settings(**values, **own.get(entry.name, {}))


def policy_file(rehearsal: Rehearsal) -> Path:
    """Write the play's policy as the YAML an operator would write."""
    path = rehearsal.state / "policy.yaml"
    body = {**rehearsal.play.policy._asdict(), "offsets_days": list(rehearsal.play.policy.offsets_days)}
    path.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
    return path
