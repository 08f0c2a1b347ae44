"""What a service hears and tells, as an AsyncAPI 3.0 document, from the same tables that run it.

FastStream's own generator cannot be asked: our one subscriber takes raw batches, so it would show an empty payload.
"""

from collections.abc import Iterable
from inspect import cleandoc
from typing import Any

import msgspec

from duly_chassis.service import Service
from duly_contracts import topics
from duly_contracts.event import Event
from duly_contracts.topics import Topic

VERSION = "3.0.0"
SCHEMAS, MESSAGES, TRAITS = "#/components/schemas/", "#/components/messages/", "#/components/messageTraits/"
ENVELOPE = "cloudEvent"
HEADERS = {
    "ce_specversion": "always 1.0",
    "ce_id": "names the fact for ever, together with ce_source: the same fact published twice carries the same two",
    "ce_type": "which event this is, with its version",
    "ce_source": "who tells it",
    "ce_time": "the business moment, as occurred_at in the data",
    "ce_subject": "what it is about",
    "ce_tenantid": "whose it is; the same tenant stands in the key and in the data",
    "content-type": "application/json",
    "traceparent": "W3C trace context of what caused it, where there is one",
}
NOT_REQUIRED = {"traceparent"}


def document(service: Service[Any], version: str) -> dict[str, Any]:
    """Return the document of one service; `version` is the release's."""
    heard = [(listen.topic, event) for listen in service.listens for event in listen.types]
    told = [(_topic(event), event) for event in service.emits]
    events = sorted({event for _, event in (*heard, *told)}, key=lambda event: event.type)
    used = sorted({topic for topic, _ in (*heard, *told)}, key=lambda topic: topic.name)
    _, schemas = msgspec.json.schema_components(events, ref_template=SCHEMAS + "{name}")
    return {
        "asyncapi": VERSION,
        "info": {
            "title": f"Duly: {service.name}",
            "version": version,
            "description": "CloudEvents 1.0 in Kafka binary mode; the key is `<tenant>/<person>`, murmur2-partitioned.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic, events) for topic in used},
        "operations": {
            **{f"receive.{topic.name}": _operation("receive", topic, heard) for topic, _ in heard},
            **{f"send.{topic.name}": _operation("send", topic, told) for topic, _ in told},
        },
        "components": {
            "messages": {event.type: _message(event) for event in events},
            "messageTraits": {ENVELOPE: {"contentType": "application/json", "headers": _headers()}},
            "schemas": _plain(schemas),
        },
    }


def _topic(event: type[Event]) -> Topic:
    return next(topic for topic in topics.ALL if topic.name == event.topic)


def _channel(topic: Topic, events: Iterable[type[Event]]) -> dict[str, Any]:
    kept = "the last record of each key" if topic.compacted else f"{topic.retention_days} days"
    return {
        "address": topic.name,
        "description": f"Keeps {kept}.",
        "messages": {event.type: {"$ref": MESSAGES + event.type} for event in events if event.topic == topic.name},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": ["compact" if topic.compacted else "delete"]},
            }
        },
    }


def _operation(action: str, topic: Topic, routes: Iterable[tuple[Topic, type[Event]]]) -> dict[str, Any]:
    channel = f"#/channels/{topic.name}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{event.type}"} for place, event in routes if place == topic],
    }


def _message(event: type[Event]) -> dict[str, Any]:
    summary, _, rest = cleandoc(event.__doc__ or "").partition("\n\n")
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": summary,
        **({"description": rest} if rest else {}),
        "traits": [{"$ref": TRAITS + ENVELOPE}],
        "payload": {"$ref": SCHEMAS + event.__name__},
    }


def _headers() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": text} for name, text in HEADERS.items()},
        "required": [name for name in HEADERS if name not in NOT_REQUIRED],
    }


def _plain(schemas: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas as a reader of JSON has them, with docstrings that every release of Python writes alike."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schemas))
    for schema in found.values():
        if "description" in schema:
            schema["description"] = cleandoc(schema["description"])
    return dict(sorted(found.items()))
