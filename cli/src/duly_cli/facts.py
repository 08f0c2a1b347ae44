"""Facts as people type or keep them in a file, made into events that hold to the contracts. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from duly_cli.troubles import Usage
from duly_contracts import topics
from duly_contracts.catalogue import BY_TYPE
from duly_contracts.decode import Decoder, Poison
from duly_contracts.envelope import ENCODER, Record, seal
from duly_contracts.event import Event
from duly_contracts.ids import derived
from duly_contracts.refusals import explain

SOURCE = "duly/facts"
TOPICS = tuple(topic.name for topic in topics.ALL)
FROM_NOW = re.compile(r"([+-]\d{1,4})d")
LINES_MAX = 100_000
LINE_BYTES_MAX = 1_000_000


class Told(NamedTuple):
    """One event, and the two names by which it is one fact however often it is published."""

    event: Event
    event_id: str
    source: str

    @property
    def record(self) -> Record:
        """The event as it goes to Kafka."""
        return seal(self.event, self.event_id, self.source)


def told(event: Event, source: str = SOURCE) -> Told:
    """Name a fact by its content, so that the same words twice are one fact."""
    return Told(event, str(derived(source, event.type, ENCODER.encode(event).decode())), source)


def made(event: type[Event], **values: Any) -> Told:
    """Make one fact; raises Usage that names what is wrong with it."""
    found = {name: value for name, value in values.items() if value is not None}
    return _accepted(told(_converted(event, found, event.type)), event.type)


def read(lines: Iterator[bytes]) -> Iterator[Told]:
    """Read one fact per line, as `{"type": ..., "data": {...}}` or with the headers of a golden example.

    Raises Usage with the line's number; nothing of its content is repeated.
    """
    for number, line in enumerate(lines, 1):
        if number > LINES_MAX or len(line) > LINE_BYTES_MAX:
            raise Usage(f"line {number}: at most {LINES_MAX} lines of {LINE_BYTES_MAX} bytes each")
        if line.strip():
            yield _read(line, f"line {number}")


def raw(lines: Iterator[bytes]) -> Iterator[Record]:
    """Read records as they stand, `{"topic", "key", "headers", "data"}` each, right or wrong; raises Usage."""
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
            if found["topic"] not in TOPICS:
                raise Usage(f"line {number}: no such topic; there are: {', '.join(TOPICS)}")
            headers = tuple((str(name), str(value).encode()) for name, value in found["headers"].items())
            yield Record(found["topic"], found["key"].encode(), headers, json.dumps(found["data"]).encode())
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            raise Usage(f"line {number}: needs an object with `topic`, `key`, `headers` and `data`") from None


def instant(text: str | None, name: str, now: datetime) -> datetime | None:
    """Read an instant: a day (midnight UTC), a time with its zone, or days from now, as `+10d`; raises Usage."""
    if text is None:
        return None
    if from_now := FROM_NOW.fullmatch(text):
        return now + timedelta(days=int(from_now[1]))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"{name}: write it as 2026-12-10, 2026-12-10T09:00:00+00:00 or +10d") from None
    if found.tzinfo is None and len(text) > len("2026-12-10"):
        raise Usage(f"{name}: a time needs its zone, as 2026-12-10T09:00:00+00:00")
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)


def _read(line: bytes, where: str) -> Told:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise Usage(f"{where}: not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("data"), dict):
        raise Usage(f"{where}: needs an object with `type` and `data`")
    headers = found.get("headers", {})
    if not isinstance(headers, dict):
        raise Usage(f"{where}: `headers` is not an object")
    name = found.get("type") or headers.get("ce_type")
    event = BY_TYPE.get(name) if isinstance(name, str) else None
    if event is None:
        raise Usage(f"{where}: no such type of event; there are: {', '.join(BY_TYPE)}")
    fact = told(_converted(event, found["data"], where))
    named = Told(fact.event, str(headers.get("ce_id", fact.event_id)), str(headers.get("ce_source", fact.source)))
    return _accepted(named, where)


def _accepted(fact: Told, where: str) -> Told:
    """Refuse what every consumer would refuse, before it is told; raises Usage."""
    record = fact.record
    found = Decoder([type(fact.event)]).decode(record.topic, record.key, record.headers, record.value)
    if isinstance(found, Poison):
        raise Usage(f"{where}: {found.reason}: {found.detail}")
    return fact


def _converted(event: type[Event], values: Mapping[str, Any], where: str) -> Event:
    try:
        return msgspec.convert(values, event)
    except msgspec.ValidationError as error:
        raise Usage(f"{where}: {explain(error).detail}") from None
