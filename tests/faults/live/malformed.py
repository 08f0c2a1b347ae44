"""Records that are no facts, of every kind SECURITY.md section 9 knows, each with the reason it must be kept under.

All are told by the feeder as they are. Names in them are canaries: whoever logs a bad record is found out.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.live.story import Fact, instant

READERS: Mapping[str, tuple[str, ...]] = {
    "training.assigned.v1": ("reminders",),
    "training.withdrawn.v1": ("reminders", "messenger"),
    "people.recorded.v1": ("reminders", "messenger"),
}
"""Who wants which type: to the others its value says nothing, however bad it is."""
BOTH = ("reminders", "messenger")
DEEP = 20_000
BIG_BYTES = 1_000_001
MANY_KEYS = 10_000
LONG = 10_240
Line = dict[str, Any]


@dataclass(slots=True)
class Draft:
    """A good record of which one thing is about to be spoilt; `value` is Latin-1 text, one character a byte."""

    fact: Fact
    key: str
    headers: list[tuple[str, str]]
    value: str | None

    def put(self, **fields: object) -> None:
        """Give fields of the value others values."""
        self.value = json.dumps({**self.fact.data, **fields})

    def raw(self, text: str) -> None:
        """Add a field `more` whose JSON is written as given, right or wrong."""
        self.value = f'{json.dumps(self.fact.data)[:-1]}, "more": {text}}}'

    def header(self, name: str, value: str | None) -> None:
        """Give a header another value; None: leave it out."""
        self.headers = [(one, old) for one, old in self.headers if one != name]
        if value is not None:
            self.headers.append((name, value))


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to be malformed, and the reason it is refused for; "": it is taken after all, or of no use to anybody."""

    name: str
    reason: str
    spoil: Callable[[Draft], None]
    type: str = ""  # this type only; "": any


def _cut_field(draft: Draft) -> None:
    draft.value = json.dumps({name: value for name, value in draft.fact.data.items() if name != "occurred_at"})


def _no_headers(draft: Draft) -> None:
    draft.headers = []


def _doubled_header(draft: Draft) -> None:
    draft.headers.append(("ce_id", "another"))


def _other_key(draft: Draft) -> None:
    draft.key = "bolt/" + draft.key.partition("/")[2] + "x"


def _no_value(draft: Draft) -> None:
    draft.value = None


def _next_version(draft: Draft) -> None:
    draft.header("ce_type", f"duly.{draft.fact.type.removesuffix('1')}2")


def _raw_as(text: str) -> Callable[[Draft], None]:
    return lambda draft: draft.raw(text)


def _header_as(name: str, value: str | None) -> Callable[[Draft], None]:
    return lambda draft: draft.header(name, value)


def _put_as(**fields: object) -> Callable[[Draft], None]:
    return lambda draft: draft.put(**fields)


def _ahead(draft: Draft) -> None:
    draft.put(occurred_at=instant(datetime.now(UTC) + timedelta(hours=25, minutes=5)))


STOP = "training.withdrawn.v1"
KINDS = (
    Kind("bytes not UTF-8", "encoding", _raw_as('"\xff\xfe"')),
    Kind("lone surrogate", "encoding", _raw_as('"\\ud800"')),
    Kind("NUL escaped", "nul", _raw_as('"\\u0000"')),
    Kind("NUL raw", "nul", _raw_as('"\x00"')),
    Kind("beyond 2^63", "range", _raw_as("99999999999999999999999")),
    Kind("NaN", "number", _raw_as("NaN")),
    Kind("Infinity", "number", _raw_as("-Infinity")),
    Kind("1e999", "number", _raw_as("1e999")),
    Kind("depth 20,000", "depth", _raw_as("[" * DEEP + "]" * DEEP)),
    Kind("1 MB", "size", _raw_as('"' + "x" * BIG_BYTES + '"')),
    Kind("10,000 keys", "size", _raw_as(json.dumps(dict.fromkeys(map(str, range(MANY_KEYS)), 1)))),
    Kind("key twice", "duplicate-key", _raw_as('{"a": 1, "a": 2}')),
    Kind("unknown version", "version", _next_version),
    Kind("tenant of the header", "tenant", _header_as("ce_tenantid", "bolt")),
    Kind("tenant of the data", "tenant", _put_as(tenant_id="bolt")),
    Kind("key of another", "tenant", _other_key),
    Kind("dated 2400", "time", _put_as(occurred_at="2400-01-01T00:00:00Z")),
    Kind("dated 1900", "time", _put_as(occurred_at="1900-01-01T00:00:00Z")),
    Kind("empty id", "id", _put_as(person_id="")),
    Kind("id of 10 KB", "id", _put_as(person_id="x" * LONG)),
    Kind("event id empty", "envelope", _header_as("ce_id", "")),
    Kind("event id of 10 KB", "envelope", _header_as("ce_id", "x" * LONG)),
    Kind("header not UTF-8", "envelope", _header_as("ce_id", "\xff\xfe")),
    Kind("type not UTF-8", "envelope", _header_as("ce_type", "\xff\xfe")),
    Kind("no headers", "envelope", _no_headers),
    Kind("header missing", "envelope", _header_as("ce_tenantid", None)),
    Kind("header twice", "envelope", _doubled_header),
    Kind("field missing", "shape", _cut_field),
    Kind("value null", "shape", _no_value, STOP),
    Kind("same id, other content", "id-conflict", _put_as(reason="other content"), STOP),
    Kind("25 h ahead", "", _ahead, STOP),
    Kind("tombstone", "", _no_value, "people.recorded.v1"),
)
"""A date 25 h ahead is believed but for its moment (S-62), and a null on a compacted topic is Kafka's own word for
'forget': both harm nobody and belong into no dead letter."""
UNREADABLE_TYPE = frozenset({"type not UTF-8", "no headers"})
"""Nobody can tell what these are, so whoever hears the topic keeps them."""


def records(seed: int, number: int, tenant: str, first: int = 0) -> list[Line]:
    """Write so many bad records, the kinds in turn, as the feeder's lines.

    `poison` is the kind, `kept` the services that must keep it as a dead letter, `reason` why. A second line of the
    same chunk may come before one: the good record whose id it steals.
    """
    dice = random.Random(f"malformed-{seed}-{first}")  # noqa: S311 - repeatable, not secret
    lines: list[Line] = []
    for place in range(first, first + number):
        kind = KINDS[place % len(KINDS)]
        fact = _fact(dice, kind.type or dice.choice(list(READERS)), tenant, f"m{seed}-{place}")
        draft = Draft(fact, fact.key, fact.headers(), json.dumps(fact.data))
        if kind.reason == "id-conflict":
            lines.append(_line(draft, "first of its id", "", ()))
        kind.spoil(draft)
        kept = BOTH if kind.name in UNREADABLE_TYPE else READERS[fact.type]
        lines.append(_line(draft, kind.name, kind.reason, kept if kind.reason else ()))
    return lines


def _line(draft: Draft, kind: str, reason: str, kept: tuple[str, ...]) -> Line:
    return {
        "chunk": 0,
        "topic": draft.fact.topic,
        "key": draft.key,
        "headers": draft.headers,
        "value": draft.value,
        "poison": kind,
        "reason": reason,
        "kept": kept,
    }


def _fact(dice: random.Random, kind: str, tenant: str, name: str) -> Fact:
    """Draw a good fact about nobody there is, which would do no harm: only stops, people and trainings of its own."""
    person = f"q{name}"
    data: dict[str, Any] = {"tenant_id": tenant, "person_id": person, "occurred_at": instant(datetime.now(UTC))}
    token = f"CNRY{tenant}poison{dice.randrange(1_000)}x"
    if kind.startswith("people"):
        data |= {"version": 1, "status": "active", "personal": {"name": token, "mail": f"{token}@{tenant}.example"}}
    else:
        data |= {"assignment_id": f"a{name}", "training_id": "t0"}
        if kind.startswith("training.assigned"):
            data |= {"due_at": instant(datetime.now(UTC) + timedelta(days=200)), "training_title": token}
    return Fact(0, kind, f"{tenant}-{name}", str(data.get("assignment_id", person)), data)
