"""What a person may see of a dead letter's bytes: lengths, the envelope's harmless part, and the shape without values.

Everything in a record is a stranger's word until it is known: a name of a field is shown only if our contracts know
it, an id or a moment only in its own form, and whatever stands in the personal block not at all. Pure.
"""

import re
from functools import lru_cache
from typing import Any, Final

import msgspec

from duly_chassis.dead_letters import KILLS, Raw
from duly_contracts import limits
from duly_contracts.catalogue import BY_TYPE, EVENTS
from duly_contracts.decode import stem
from duly_contracts.refusals import Refused

DEPTH_MAX: Final = 6
ENTRIES_MAX: Final = 50  # of one object
ITEMS_MAX: Final = 3  # of one array: the others look alike
PERSONAL: Final = "personal"
NUMBERS: Final = frozenset({"version", "sequence"})
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")  # no '@', '+' or blank: neither an address nor a number to call
MOMENT = re.compile(r"(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-]00:00)")
VERSION = re.compile(r".+\.v[1-9][0-9]{0,3}")
PHONE = re.compile(r"[0-9 .:_-]{7,}")  # an id made of digits alone could be one

HEADERS: Final = {
    "ce_specversion": re.compile(r"[0-9]\.[0-9]"),
    "ce_id": ID,
    "ce_type": VERSION,
    "ce_source": re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}"),
    "ce_time": MOMENT,
    "content-type": re.compile(r"[a-z]+/[a-z.+-]{1,40}(; ?charset=[a-zA-Z0-9-]{1,20})?"),
    "traceparent": re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
}
"""The headers that are shown, each in its own form only."""


def seen(record: Raw, reason: str) -> dict[str, Any]:
    """Return what may be shown of a record; what kills whoever looks at it is not looked at."""
    shown = {name: masked_header(name, value) for name, value in record.headers if name in HEADERS}
    return {
        "key_bytes": len(record.key or b""),
        "value_bytes": len(record.value or b""),
        "headers": shown,
        "other_headers": sum(name not in HEADERS for name, _ in record.headers),
        "shape": "not looked at: the process died over it" if reason == KILLS else shape_of(record.value),
    }


def masked_header(name: str, value: bytes) -> str:
    """Return a header's text if it has the form of its name, else its length."""
    try:
        text = value.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if HEADERS[name].fullmatch(text) is None or (name == "ce_type" and stem(text) not in stems()):
        return mask(value)
    return mask(value) if name in {"ce_id", "ce_source"} and PHONE.fullmatch(text) else text


def shape_of(value: bytes | None) -> object:
    """Return the JSON of a value with everything masked that could be anybody's; or why there is none to see."""
    try:
        limits.check(value or b"")
        return shape(limits.tree((value or b"").decode()), "", 1)
    except Refused as refused:
        return f"unreadable: {refused.reason}"


def shape(node: object, name: str, depth: int, *, hidden: bool = False) -> object:
    """Mask one node; `name` is the field it stands in, "" where that is a stranger's word or may not be shown."""
    if isinstance(node, dict):
        return masked_object(node, depth, hidden=hidden or name == PERSONAL)
    if isinstance(node, list):
        items = [shape(item, "", depth + 1, hidden=hidden or name == PERSONAL) for item in node[:ITEMS_MAX]]
        return [*items, f"{len(node)} items in all"] if len(node) > ITEMS_MAX else items
    if node is None or isinstance(node, bool):
        return node
    if isinstance(node, str):
        return node if plain(node, name) and not hidden else mask(node.encode())
    return node if name in NUMBERS and isinstance(node, int) and not hidden else "number"


def masked_object(node: dict[str, Any], depth: int, *, hidden: bool) -> object:
    """Mask an object: names that no contract knows are numbered, and where it is hidden no value is shown."""
    if depth >= DEPTH_MAX:
        return f"object of {len(node)}"
    known = fields()
    out: dict[str, object] = {}
    for number, (key, value) in enumerate(node.items(), 1):
        if number > ENTRIES_MAX:
            out["..."] = f"{len(node)} fields in all"
            break
        name = key if key in known else ""
        out[name or f"field {number}"] = shape(value, name, depth + 1, hidden=hidden)
    return out


def plain(text: str, name: str) -> bool:
    """Tell whether a text may be shown: an id in a field of ids, a moment in a field of moments."""
    if name in moments():
        return MOMENT.fullmatch(text) is not None
    return name.endswith("_id") and ID.fullmatch(text) is not None and PHONE.fullmatch(text) is None


def mask(value: bytes) -> str:
    """Say how long something is, and nothing else."""
    return f"{len(value)} bytes"


@lru_cache(maxsize=1)
def stems() -> frozenset[str]:
    """Return the names of our types, without their versions."""
    return frozenset(stem(name) for name in BY_TYPE)


@lru_cache(maxsize=1)
def fields() -> frozenset[str]:
    """Return the name of every field that some contract knows."""
    found: set[str] = set()
    collect(msgspec.json.schema(tuple[EVENTS]), found)  # type: ignore[valid-type]
    return frozenset(found)


def collect(schema: Any, found: set[str]) -> None:
    """Gather the names of properties from a JSON Schema."""
    if isinstance(schema, dict):
        found |= set(schema.get("properties", ()))
        for part in schema.values():
            collect(part, found)
    elif isinstance(schema, list):
        for part in schema:
            collect(part, found)


@lru_cache(maxsize=1)
def moments() -> frozenset[str]:
    """Return the names of the fields that hold moments."""
    return frozenset(name for event in EVENTS for name in event.moments)
