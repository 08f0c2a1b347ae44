"""The words of roster's domain: a person's record, a row of a file, and what was found wrong or odd."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple

Status = Literal["active", "on_leave", "departed"]
Kind = Literal["joins", "returns", "leaves", "changes", "past"]
"""What happens to a person: new here, here again, gone, another value, or gone before we knew them."""

KINDS: tuple[Kind, ...] = ("joins", "returns", "leaves", "changes", "past")


class Record(NamedTuple):
    """All that is known of a person but the version; a tuple, since a hundred thousand are compared in one run.

    The last three fields are personal data.
    """

    person_id: str
    status: Status | None
    """None only in a row whose file does not say."""
    since: datetime | None
    zone: str | None
    locale: str | None
    manager_id: str | None
    department: str | None
    team: str | None
    role: str | None
    location: str | None
    hired_on: date | None
    left_on: date | None
    name: str | None
    mail: str | None
    mobile: str | None


FIELDS = Record._fields
PERSONAL = FIELDS[-3:]


class Known(NamedTuple):
    """A person as roster has them now."""

    record: Record
    version: int
    fold: str
    """The id without case, spaces and leading zeros: two people whose ids differ by no more are one and a slip."""


class Row(NamedTuple):
    """A good row of a file: each of its cells is well formed by itself."""

    line: int
    fold: str
    record: Record


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to tell about a file: where, a code, and plain words without anybody's personal data."""

    line: int
    column: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file that could be read, as far as it goes without knowing who works here."""

    columns: frozenset[str]
    """The record's fields that the file has a column for; what it has none for stays as it is."""
    rows: tuple[Row, ...]
    refused: tuple[Finding, ...]
    refused_folds: frozenset[str]
    """Whom refused rows are about: they are in the file, so they are not missing from it."""
    nameless: int
    """Refused rows that do not say whom they are about: then nobody can be said to be missing."""
    doubled: int
    """Rows beyond the first with an id that is there already."""
    notes: tuple[Finding, ...]
    rows_total: int
    delimiter: str


class Change(NamedTuple):
    """What a run does to one person: the record it leaves, and what differs in it."""

    kind: Kind
    record: Record
    version: int
    fold: str
    fields: tuple[str, ...]
