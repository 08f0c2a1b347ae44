"""Spans to an OpenTelemetry collector; imported only where one is named. Its own variables configure it."""

import asyncio
import contextlib
from collections.abc import Iterable
from threading import Thread

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags

from duly_chassis.faults import label
from duly_chassis.logs import log
from duly_chassis.traces import LINKS_MAX, Span, Traces, now_ns

KINDS = {"internal": SpanKind.INTERNAL, "consumer": SpanKind.CONSUMER, "client": SpanKind.CLIENT}
CLOSE_DEADLINE_S = 3.0  # a stop ends in seconds, also where the collector is away
LOG = log("traces")


class Ids(RandomIdGenerator):
    """Gives the next span the ids that tables and headers already name, if there are such."""

    def __init__(self) -> None:
        self.given: SpanContext | None = None

    def generate_span_id(self) -> int:
        """Return the given span id, or a random one."""
        return super().generate_span_id() if self.given is None else self.given.span_id

    def generate_trace_id(self) -> int:
        """Return the given trace id, or a random one."""
        return super().generate_trace_id() if self.given is None else self.given.trace_id

    def is_trace_id_random(self) -> bool:
        """Say no: most are derived, and the flag would make a header differ from what tables name."""
        return False


class Exported(Traces):
    """Hands spans to a processor of OpenTelemetry's SDK, as one service's."""

    on = True

    def __init__(self, service: str, processor: SpanProcessor) -> None:
        self._ids = Ids()
        resource = Resource.create({SERVICE_NAME: f"duly-{service.replace('_', '-')}"})
        self._provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("duly")

    def record(self, spans: Iterable[Span]) -> None:
        """Queue the spans; the processor sends them from its own thread, and drops what it has no room for."""
        ended_ns = now_ns()
        try:
            for one in spans:
                self._record(one, ended_ns)
        except Exception as error:  # noqa: BLE001 - what they tell of is committed: a trace must not undo it
            LOG.warning("spans_unrecorded", error=label(error))

    def _record(self, one: Span, ended_ns: int) -> None:
        self._ids.given = context_of(one.context) if one.context else None
        span = self._tracer.start_span(
            one.name,
            context=Context(),  # each begins at its own root: its causes are links
            kind=KINDS[one.kind],
            attributes=one.attributes,
            links=[Link(context_of(link)) for link in one.links[:LINKS_MAX] if link],
            start_time=ended_ns - int(one.lasted_s * 1e9),
        )
        if one.failed:
            span.set_status(StatusCode.ERROR)
        span.end(ended_ns)

    async def close(self, deadline_s: float) -> None:
        """Send what is left; a collector that does not answer costs the spans, never the stop."""
        over, loop = asyncio.Event(), asyncio.get_running_loop()

        def shut() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waited so long
                loop.call_soon_threadsafe(over.set)

        Thread(target=shut, name="traces-close", daemon=True).start()
        try:
            await asyncio.wait_for(over.wait(), min(deadline_s, CLOSE_DEADLINE_S))
        except TimeoutError:
            LOG.warning("spans_abandoned")


def to_collector(service: str) -> Exported:
    """Return the traces of one service, sent in batches to the collector that the environment names."""
    return Exported(service, BatchSpanProcessor(OTLPSpanExporter()))


def context_of(traceparent: str) -> SpanContext:
    """Read a context that has the W3C form."""
    _, trace, span, flags = traceparent.split("-")
    return SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
