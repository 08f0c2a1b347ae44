"""Why a record was refused: a closed set of reasons, and what may be told about each.

A detail names a field and the kind of fault. It never holds a value: dead letters are read by people, and
values are other people's data.
"""

import re
from typing import Final, Literal

import msgspec

PoisonReason = Literal[
    "size",  # more bytes, or more keys in one object, than any fact needs
    "nul",  # PostgreSQL cannot store it
    "encoding",  # not UTF-8, or half of a surrogate pair
    "range",  # a number outside its bounds, or beyond 64 bits
    "number",  # not a finite number: NaN, Infinity, 1e999
    "depth",  # nested deeper than any fact needs
    "duplicate-key",  # two readers would take different ones
    "shape",  # not JSON, or a field is missing or of the wrong kind
    "id",  # an id that is empty, too long, or unfit to be shown
    "time",  # no moment in UTC from 1970 to 2199
    "tenant",  # header, key and data do not name the same tenant and person
    "envelope",  # the headers do not say what this is
]


class Refused(Exception):
    """The record is not a fact; `reason` is a code and `detail` holds no value."""

    def __init__(self, reason: PoisonReason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: Final = reason
        self.detail: Final = detail


FAULTS: tuple[tuple[re.Pattern[str], PoisonReason, str], ...] = (
    (re.compile(r"missing required field"), "shape", "missing"),
    (re.compile(r"Integer value out of range"), "range", "beyond 64 bits"),
    (re.compile(r"Number out of range"), "number", "not finite"),
    (re.compile(r"Expected `(int|float)` (<|>)"), "range", "out of bounds"),
    (re.compile(r"`datetime\b|RFC3339|not UTC|outside 1970"), "time", "no UTC moment of our years"),
    (re.compile(r"Expected `str` (of length|matching)|Invalid UUID"), "shape", "unfit text"),
    (re.compile(r"Invalid enum value"), "shape", "unknown word"),
    (re.compile(r"of length"), "size", "too many"),
)
"""What msgspec's messages mean to us, first match first; a message with no match is a wrong kind of value.

The messages themselves are not passed on, since some quote the value.
"""

NAMED = re.compile(r"field `(\w+)`|^(\w+): ")
PATH = re.compile(r"at `(\$[^`]*)`$")
KEY = re.compile(r"`key` in `(\$[^`]*)`$")
IDS = ("_id", "about")


def explain(error: msgspec.ValidationError) -> Refused:
    """Say which field was at fault and how, from the error of a schema-bound decoder."""
    message = str(error)
    where = place(message)
    for pattern, reason, kind in FAULTS:
        if pattern.search(message):
            if kind == "unfit text" and where.endswith(IDS):
                return Refused("id", f"{where}: {kind}")
            return Refused(reason, f"{where}: {kind}")
    return Refused("shape", f"{where}: wrong kind")


def place(message: str) -> str:
    """Return the path of the field that a message speaks of, as `$.ends_when[0].about`."""
    found = PATH.search(message) or KEY.search(message)
    path = found[1] if found else "$"
    named = NAMED.search(message)
    return f"{path}.{named[1] or named[2]}" if named else path
