"""An OpenTelemetry collector on loopback: takes OTLP over HTTP, as any other would, and keeps what it was told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BODY_BYTES_MAX = 10_000_000


@dataclass
class Told:
    """One span, in the words of traceparent headers."""

    service: str
    name: str
    trace: str
    span: str
    links: list[tuple[str, str]]
    attributes: dict[str, Any]
    failed: bool


@dataclass
class Collector:
    """What has come so far."""

    address: str
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> list[Told]:
        """Read every span that came."""
        return [told for body in self.bodies for told in read(body)]


def read(body: bytes) -> Iterator[Told]:
    """Read one export."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = next(one.value.string_value for one in resource.resource.attributes if one.key == "service.name")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Told(
                    service,
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                    {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes},
                    span.status.code == span.status.STATUS_CODE_ERROR,
                )


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector for as long as the block lasts."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(min(BODY_BYTES_MAX, int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, name="collector", kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Collector(f"http://127.0.0.1:{server.server_address[1]}", bodies)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
