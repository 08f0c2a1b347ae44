"""CloudEvents 1.0 in Kafka binary mode: the headers carry the envelope, the value is the data."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from duly_contracts.event import Event

Headers = tuple[tuple[str, bytes], ...]

CONTENT_TYPE = b"application/json"
ENCODER = msgspec.json.Encoder(order="deterministic")


@dataclass(frozen=True, slots=True)
class Record:
    """An event ready for Kafka."""

    topic: str
    key: bytes
    headers: Headers
    value: bytes


def seal(event: Event, event_id: str, source: str, traceparent: str | None = None) -> Record:
    """Wrap an event for Kafka.

    `event_id` with `source` names the fact for ever: the same fact published twice must carry the same two.
    """
    headers: list[tuple[str, bytes]] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", event.type.encode()),
        ("ce_source", source.encode()),
        ("ce_time", instant(event.occurred_at).encode()),
        ("ce_subject", event.subject.encode()),
        ("ce_tenantid", event.tenant_id.encode()),
        ("content-type", CONTENT_TYPE),
    ]
    if traceparent is not None:
        headers.append(("traceparent", traceparent.encode()))
    return Record(event.topic, event.key.encode(), tuple(headers), ENCODER.encode(event))


def instant(moment: datetime) -> str:
    """Write a UTC instant as RFC 3339 with a Z, as msgspec does in the data."""
    return moment.isoformat().replace("+00:00", "Z")
