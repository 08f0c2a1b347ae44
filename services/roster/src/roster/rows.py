"""Between the tables' columns and the domain's words: whole runs as one JSON text, which is fastest to hand over."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from roster.record import Change, Record

ENCODER = msgspec.json.Encoder()


class Place(NamedTuple):
    """Where a tenant's roster stands."""

    next_run: int
    changed_run: int
    """The last run that changed anybody; 0: none has."""
    complete_rows: int | None


class HeldRun(NamedTuple):
    """What a decision about a held run must know of it."""

    tenant_id: str
    run: int
    complete: bool
    good_rows: int
    base_run: int


class RunRow(NamedTuple):
    """A row of `runs`, in the order of its columns."""

    tenant_id: str
    run: int
    state: str
    file_name: str
    digest: str
    complete: bool
    rows: int
    good_rows: int
    unchanged: int
    counts: str
    brakes: str
    refusals: str
    refused: int
    findings: str
    found: int
    base_run: int
    planned_at: datetime
    next_due_at: datetime | None


class PersonRow(msgspec.Struct):
    """A person on the way to `people`, and as a held run keeps them: nothing personal."""

    person_id: str
    id_fold: str
    version: int
    status: str | None
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


class VaultRow(msgspec.Struct):
    """The personal part."""

    person_id: str
    name: str | None
    mail: str | None
    mobile: str | None


class ChangeRow(msgspec.Struct):
    """A row of `changes`."""

    person_id: str
    kind: str
    fields: tuple[str, ...]
    version: int
    proposed: PersonRow | None


PROPOSED = msgspec.json.Decoder(PersonRow)


def json_text(value: Any) -> str:
    """Write a value as JSON for a parameter."""
    return ENCODER.encode(value).decode()


def person_row(change: Change) -> PersonRow:
    """Return the part of a record that is not personal."""
    record = change.record
    return PersonRow(record.person_id, change.fold, change.version, *record[1:-3])


def people_json(changes: Sequence[Change]) -> str:
    """Write records without their personal part."""
    return json_text([person_row(change) for change in changes])


def vault_json(changes: Sequence[Change]) -> str:
    """Write the personal part of records."""
    return json_text([VaultRow(change.record.person_id, *change.record[-3:]) for change in changes])


def changes_json(changes: Sequence[Change], *, whole: bool) -> str:
    """Write what happens to whom; `whole` adds the proposed record."""
    return json_text(
        [
            ChangeRow(
                change.record.person_id,
                change.kind,
                change.fields,
                change.version,
                person_row(change) if whole else None,
            )
            for change in changes
        ]
    )


def proposed(row: asyncpg.Record, personal: asyncpg.Record) -> Change:
    """Put a held change together again."""
    found = PROPOSED.decode(row["proposed"])
    plain = msgspec.structs.asdict(found)
    fold, version = plain.pop("id_fold"), plain.pop("version")
    record = Record(**plain, name=personal["name"], mail=personal["mail"], mobile=personal["mobile"])
    return Change(row["kind"], record, version, fold, tuple(row["fields"]))
