"""Reads a service's own counters in its process: cheap enough to look often."""

import asyncio

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


async def reached(host: Host, facts: int, outputs: int) -> None:
    """Wait until so many facts are committed and so many outputs are published."""
    while handled(host) < facts or published(host) < outputs:
        await asyncio.sleep(LOOK_S)


def sent(host: Host) -> int:
    """Count the mails whose acceptance is written down."""
    return value(host.metrics.sends, "messenger", "mail", "sent")
