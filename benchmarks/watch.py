"""Reads a service's own counters in its process: cheap enough to look often."""

import asyncio
from collections.abc import Callable

from prometheus_client import Counter

from duly_chassis.host import Host

LOOK_S = 0.005


def value(counter: Counter, *labels: str) -> int:
    """Return one counter's value; the registry's own reader renders all of them, which would be measured too."""
    return int(counter.labels(*labels)._value.get())  # noqa: SLF001 - see above


def handled(host: Host) -> int:
    """Count the facts this service has committed, repeated ones included."""
    name = host.service.name
    types = [event.type for listen in host.service.listens for event in listen.types]
    return sum(value(host.metrics.events, name, type_, "fact") for type_ in types)


def published(host: Host) -> int:
    """Count the events its relay has had acknowledged."""
    return value(host.metrics.published, host.service.name)


async def until(done: Callable[[], bool]) -> None:
    """Wait until it is so; counters wake nobody, so they are looked at."""
    while not done():  # noqa: ASYNC110 - see above
        await asyncio.sleep(LOOK_S)


async def reached(host: Host, facts: int, outputs: int) -> None:
    """Wait until so many facts are committed and so many outputs are published."""
    await until(lambda: handled(host) >= facts and published(host) >= outputs)


def sent(host: Host, channel: str = "mail") -> int:
    """Count the messages whose acceptance is written down."""
    return value(host.metrics.sends, "messenger", channel, "sent", "accepted")
