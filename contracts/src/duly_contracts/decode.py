"""From a Kafka record to a fact: a total function, for one bad record must not cost its neighbours.

Order of work: the header says whether anybody here wants it; then the envelope; then the value's limits; then
its shape; last, that header, key and data speak of the same tenant and person (SECURITY, S-54 to S-63).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Generic, TypeVar

import msgspec

from duly_contracts import limits, topics
from duly_contracts.catalogue import BY_TYPE
from duly_contracts.envelope import CONTENT_TYPE
from duly_contracts.event import Event
from duly_contracts.refusals import PoisonReason, Refused, explain
from duly_contracts.traces import TRACEPARENT, begun

E_co = TypeVar("E_co", bound=Event, covariant=True)

NAME_MAX: Final = 200  # characters of ce_id, ce_source and ce_type
NAME_BYTES_MAX: Final = 4 * NAME_MAX  # in UTF-8
SPECVERSION: Final = b"1.0"
ENVELOPE: Final = frozenset(
    {
        "ce_specversion",
        "ce_id",
        "ce_type",
        "ce_source",
        "ce_time",
        "ce_subject",
        "ce_tenantid",
        "content-type",
    }
)
COMPACTED: Final = frozenset(topic.name for topic in topics.ALL if topic.compacted)
TOMBSTONE: Final = "tombstone"
VERSIONED = re.compile(r".+\.v[1-9][0-9]*")


class Fact(msgspec.Struct, Generic[E_co], frozen=True):
    """Something that happened, whole and ours to apply; (`source`, `id`) names it for ever.

    `digest` is a signed 64-bit hash of the value's bytes: the same name with another digest is a conflict.
    A Struct, since one is made per record and costs a fifth of a dataclass.
    """

    id: str
    source: str
    data: E_co
    digest: int
    traceparent: str | None = None

    @property
    def trace(self) -> str:
        """The trace context that what follows from this fact goes on with: its own, or one that begins with it."""
        return self.traceparent or begun(self.source, self.id)


@dataclass(frozen=True, slots=True)
class Skip:
    """A record this consumer has no use for; its value was not looked at."""

    type: str


@dataclass(frozen=True, slots=True)
class Held:
    """A version, unknown to this release, of a wanted type: kept for replay, nobody's fault."""

    type: str


@dataclass(frozen=True, slots=True)
class Poison:
    """A record nobody can apply; `detail` names field and fault, never a value."""

    reason: PoisonReason
    detail: str


class Decoder:
    """Reads the records that a consumer wants; it never raises, whatever the bytes."""

    def __init__(self, wanted: Iterable[type[Event]]) -> None:
        events = tuple(wanted)
        self._routes: Final = {event.type.encode(): Route(event) for event in events}
        self._stems: Final = frozenset(stem(event.type) for event in events)

    def decode(
        self, topic: str, key: bytes | None, headers: Sequence[tuple[str, bytes]], value: bytes | None
    ) -> Fact[Event] | Skip | Held | Poison:
        """Say what a record is to this consumer."""
        if value is None and topic in COMPACTED:
            return Skip(TOMBSTONE)
        try:
            found, doubled = single(headers)
            route = self._routes.get(found.get("ce_type", b""))
            if doubled == "ce_type":
                return Poison("envelope", "ce_type: doubled")
            if route is None:
                return self._unwanted(text(found, "ce_type"))
            return route.read(topic, key, found, doubled, value)
        except Refused as refused:
            return Poison(refused.reason, refused.detail)

    def _unwanted(self, name: str) -> Skip | Held:
        """Tell a type of no use from a version to come."""
        known = name in BY_TYPE or VERSIONED.fullmatch(name) is None
        return Skip(name) if known or stem(name) not in self._stems else Held(name)


class Route:
    """The way from a record of one type to its fact."""

    def __init__(self, event: type[Event]) -> None:
        self._topic: Final = event.topic
        self._parse: Final = msgspec.json.Decoder(event).decode

    def read(
        self, topic: str, key: bytes | None, found: dict[str, bytes], doubled: str, value: bytes | None
    ) -> Fact[Event]:
        """Return the fact, or refuse the record."""
        if topic != self._topic:
            raise Refused("envelope", "topic: not the type's own")
        check_envelope(found, doubled)
        event_id, source = text(found, "ce_id"), source_of(found.get("ce_source"))
        if value is None:
            raise Refused("shape", "no value")
        limits.check(value)
        try:
            data = self._parse(value)
        except msgspec.ValidationError as error:
            raise explain(error) from None
        if found.get("ce_tenantid") != data.tenant_id.encode():
            text(found, "ce_tenantid")  # a header that is missing or damaged is another fault
            raise Refused("tenant", "ce_tenantid: not the data's")
        if key != data.key.encode():
            raise Refused("tenant", "key: not the data's tenant and person")
        digest = int.from_bytes(blake2b(value, digest_size=8).digest(), "big", signed=True)
        return Fact(event_id, source, data, digest, trace(found))


def single(headers: Sequence[tuple[str, bytes]]) -> tuple[dict[str, bytes], str]:
    """Return the headers by name, and one of the envelope that stands there twice, or "".

    Headers outside the envelope may repeat: whatever carries a record may add its own.
    """
    found = dict(headers)
    if len(found) == len(headers):
        return found, ""
    often = Counter(name for name, _ in headers)
    doubled = sorted(name for name, count in often.items() if count > 1)
    if "ce_type" in doubled:
        return found, "ce_type"
    return found, next((name for name in doubled if name.startswith("ce_") or name == "content-type"), "")


def check_envelope(found: dict[str, bytes], doubled: str) -> None:
    """Refuse headers that do not announce one CloudEvent 1.0 in JSON."""
    if doubled:
        name = doubled if doubled in ENVELOPE else "ce_ header"  # any other name is the sender's words
        raise Refused("envelope", f"{name}: doubled")
    if found.get("ce_specversion", SPECVERSION) != SPECVERSION:
        raise Refused("envelope", "ce_specversion: not 1.0")
    content_type = found.get("content-type")
    if content_type != CONTENT_TYPE and (content_type or b"").partition(b";")[0].lower() != CONTENT_TYPE:
        raise Refused("envelope", "content-type: not JSON")


def text(found: dict[str, bytes], name: str) -> str:
    """Read a header that must hold 1 to 200 printable characters."""
    raw = found.get(name)
    if not raw or len(raw) > NAME_BYTES_MAX:
        raise Refused("envelope", f"{name}: missing or too long")
    try:
        words = raw.decode()
    except UnicodeDecodeError:
        raise Refused("envelope", f"{name}: not UTF-8") from None
    if len(words) > NAME_MAX or not words.isprintable():
        raise Refused("envelope", f"{name}: too long or not printable")
    return words


@lru_cache(maxsize=256)
def source_of(raw: bytes | None) -> str:
    """Read `ce_source`, which a few systems repeat in every record."""
    return text({"ce_source": raw or b""}, "ce_source")


def trace(found: dict[str, bytes]) -> str | None:
    """Keep a trace's context if it has the W3C form; a damaged one is no reason to refuse a fact."""
    raw = found.get("traceparent")
    return raw.decode() if raw and TRACEPARENT.fullmatch(raw) else None


def stem(name: str) -> str:
    """Return a type's name without its version."""
    return name.rpartition(".v")[0]
