"""Traces: spans on the machine clock, each linked to what caused it. Without a collector nothing is recorded.

Work that happens at once goes on in the trace of its fact; work that waited begins a trace of its own, linked to
the one it waited for. The ids follow from what is traced (duly_contracts.traces), so that they are the same in the
tables, in Kafka and at the collector, and the same when nobody collects. Attributes are ids, codes and counts only.
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from duly_contracts.decode import Fact

Attributes = Mapping[str, str | int | bool]

LINKS_MAX = 32
"""Of one span. A batch links to the first so many causes; each fact's own context goes on with its events."""

COLLECTORS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
"""OpenTelemetry's own variables: without one of them there is no exporter."""


@dataclass(frozen=True, slots=True)
class Span:
    """One piece of work that is over."""

    name: str
    links: Sequence[str]
    """Trace contexts of what caused it."""
    attributes: Attributes = field(default_factory=dict)
    context: str = ""
    """Its own trace context, where events or rows name it; "" takes a random one."""
    kind: Literal["internal", "consumer", "client"] = "internal"
    lasted_s: float = 0.0
    failed: bool = False


class Traces:
    """Where spans go: nowhere, unless a collector is named."""

    on = False

    def record(self, spans: Iterable[Span]) -> None:
        """Take over spans that have just ended; never waits and never raises."""

    async def close(self, deadline_s: float) -> None:
        """Send what is left, within the deadline (machine clock)."""


def from_environment(service: str) -> Traces:
    """Return the traces of one service: exported over OTLP if a collector is named, else recorded nowhere."""
    if not any(os.environ.get(name) for name in COLLECTORS):
        return Traces()
    from duly_chassis.otlp import to_collector  # noqa: PLC0415 - 10 MB that only a collector's users need

    return to_collector(service)


def consumed(facts: Sequence[Fact[Any]], records: int, lasted_s: float) -> Span:
    """Return the span of one lane of a batch: one for all its records, for this is the hot path."""
    links = tuple(dict.fromkeys(fact.trace for fact in islice(facts, LINKS_MAX)))
    attributes: Attributes = {"messaging.system": "kafka", "messaging.batch.message_count": records}
    return Span("apply batch", links, attributes, kind="consumer", lasted_s=lasted_s)


def now_ns() -> int:
    """Return the machine clock's wall time, as spans have it."""
    return time.time_ns()
