"""The golden examples as records, whole or altered: what the tests of contracts start from."""

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from duly_contracts.catalogue import BY_TYPE
from duly_contracts.decode import Decoder, Fact, Held, Poison, Skip
from duly_contracts.event import Event
from duly_contracts.schema import HOME

NAMES = sorted(BY_TYPE)
TRAINING = "duly.training.assigned.v1"
PERSON = "duly.people.recorded.v1"
OUTREACH = "duly.outreach.requested.v1"
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T")

Outcome = Fact[Event] | Skip | Held | Poison
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """One example file."""

    type: str
    headers: dict[str, str]
    key: str
    data: dict[str, Any]


def golden(name: str) -> Golden:
    """Read the example of an event."""
    held = json.loads((HOME / "examples" / f"{name}.json").read_text(encoding="utf-8"))
    return Golden(name, held["headers"], held["key"], held["data"])


def header_list(example: Golden, changes: Mapping[str, bytes | None] | None = None) -> list[tuple[str, bytes]]:
    """Return an example's headers as a client hands them over; a change to None takes a header away."""
    headers = {name: value.encode() for name, value in example.headers.items()} | dict(changes or {})
    return [(name, value) for name, value in headers.items() if value is not None]


def decode(
    name: str,
    value: bytes | None = None,
    *,
    data: object = None,
    changes: Mapping[str, bytes | None] | None = None,
    twice: tuple[str, bytes] | None = None,
    key: bytes | None = b"the example's",
    topic: str | None = None,
) -> Outcome:
    """Decode the example of an event with some part of the record replaced."""
    example = golden(name)
    headers = header_list(example, changes) + ([twice] if twice else [])
    if value is None:
        value = written(example.data if data is None else data)
    sent_key = example.key.encode() if key == b"the example's" else key
    return Decoder([BY_TYPE[name]]).decode(topic or BY_TYPE[name].topic, sent_key, headers, value)


def with_field(name: str, field: str, json_text: str) -> Outcome:
    """Decode an example in which a field has the value that is written so in JSON."""
    data = golden(name).data
    data.pop(field, None)
    return decode(name, written(data)[:-1] + f',"{field}":{json_text}}}'.encode())


def reason(outcome: Outcome) -> str:
    """Return the reason of a refusal; a record that was not refused has none."""
    return outcome.reason if isinstance(outcome, Poison) else type(outcome).__name__


def written(data: object) -> bytes:
    """Write JSON as another producer might: text beyond ASCII as it is, no spaces."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


def paths(node: object, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """List every place in a tree with what stands there, the root first."""
    yield at, node
    children: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(node, dict):
        children = iter(node.items())
    elif isinstance(node, list):
        children = iter(enumerate(node))
    for name, child in children:
        yield from paths(child, (*at, name))


def replaced(tree: Any, at: Path, value: object) -> Any:
    """Return a copy of a tree with another value in one place."""
    changed = copy.deepcopy(tree)
    parent = _parent(changed, at)
    parent[at[-1]] = value
    return changed


def without(tree: Any, at: Path) -> Any:
    """Return a copy of a tree in which one place is missing."""
    changed = copy.deepcopy(tree)
    del _parent(changed, at)[at[-1]]
    return changed


def _parent(tree: Any, at: Path) -> Any:
    for step in at[:-1]:
        tree = tree[step]
    return tree


def validator(name: str) -> Draft202012Validator:
    """Return a reader of the frozen schema file of an event, formats included."""
    schema = json.loads((HOME / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FORMATS)


FORMATS = FormatChecker(formats=("uuid",))


@FORMATS.checks("date-time", raises=ValueError)
def is_moment(value: object) -> bool:
    """Tell an RFC 3339 moment; the library's own check needs a package that we do not carry."""
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None
