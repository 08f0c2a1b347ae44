"""Traces: ids that follow from names, spans as the SDK has them, and a collector that never holds anybody up."""

import asyncio
import socket
import time

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from duly_chassis.otlp import Exported
from duly_chassis.traces import LINKS_MAX, Span, Traces, consumed, from_environment
from duly_contracts.decode import Fact
from duly_contracts.traces import TRACEPARENT, begun, trace_id
from duly_contracts.training import TrainingAssignedV1
from tests.support.records import assigned

OWN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def facts(number: int, traceparent: str | None = None) -> list[Fact[TrainingAssignedV1]]:
    """Return facts of one source."""
    return [Fact(f"e{n}", "lms", assigned("a1"), 0, traceparent) for n in range(number)]


def exported() -> tuple[Exported, InMemorySpanExporter]:
    """Return traces that stay in memory."""
    kept = InMemorySpanExporter()
    return Exported("unit", SimpleSpanProcessor(kept)), kept


def written(span: ReadableSpan) -> str:
    """Return a span's own context as a header would have it."""
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def test_trace_that_begins_has_the_w3c_form_and_follows_from_its_parts() -> None:
    one = begun("decision", "x")

    assert TRACEPARENT.fullmatch(one.encode())
    assert one == begun("decision", "x") != begun("decisionx")
    assert trace_id(one) == one.split("-")[1]
    assert trace_id("") == ""


def test_fact_goes_on_in_its_own_trace_or_begins_one_that_everybody_gets_alike() -> None:
    """Two services that hear one fact, and one that hears it twice, name the same trace."""
    assert facts(1, OWN)[0].trace == OWN
    assert facts(1)[0].trace == facts(1)[0].trace == begun("lms", "e0")
    assert facts(2)[1].trace != facts(1)[0].trace


def test_span_has_the_ids_that_tables_and_headers_name() -> None:
    traces, kept = exported()
    traces.record([Span("one", (OWN, ""), {"duly.step": "3"}, begun("x"), "client", 1.5, failed=True), Span("two", ())])
    one, two = kept.get_finished_spans()

    assert written(one) == begun("x")
    assert [link.context.trace_id for link in one.links] == [int(trace_id(OWN), 16)]
    assert (one.parent, dict(one.attributes or {}), one.status.is_ok) == (None, {"duly.step": "3"}, False)
    assert one.end_time is not None
    assert one.start_time is not None
    assert one.end_time - one.start_time == 1_500_000_000
    assert written(two) not in (written(one), OWN)
    assert one.resource.attributes["service.name"] == "duly-unit"


def test_batch_is_one_span_with_a_bounded_number_of_links() -> None:
    """The hot path: thousands of records, one span; links to distinct causes only."""
    span = consumed(facts(LINKS_MAX * 3), 5000, 0.2)

    assert len(span.links) == LINKS_MAX
    assert consumed(facts(5, OWN), 5, 0.2).links == (OWN,)
    assert span.attributes["messaging.batch.message_count"] == 5000


def test_span_that_cannot_be_recorded_costs_nothing_else() -> None:
    """What it tells of is committed already: an exception here would have the batch applied as if it had failed."""
    traces, kept = exported()
    traces.record([Span("one", ("no context",))])
    traces.record([Span("two", ())])

    assert [span.name for span in kept.get_finished_spans()] == ["two"]


async def test_nothing_is_recorded_and_no_sdk_is_made_without_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", raising=False)
    traces = from_environment("unit")
    traces.record([Span("one", ())])
    await traces.close(1)

    assert type(traces) is Traces
    assert not traces.on


async def test_collector_that_does_not_answer_costs_the_spans_but_not_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes the connection and then says nothing, as a machine does that has run out of memory."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        traces = from_environment("unit")
        traces.record([Span("one", ())])
        began_s = time.monotonic()
        await traces.close(0.2)

        assert traces.on
        assert time.monotonic() - began_s < 1
        await asyncio.sleep(0)
