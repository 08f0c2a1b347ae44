"""Roster files made by hand, and a way to send them to a service on a bench."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from duly_chassis import outbox
from duly_contracts.people import PersonRecordedV1
from roster.store import Store
from tests.support.bench import Bench

HEADER = "person_id,name,mail,manager_id,hired_on,left_on,status"
"""The columns of `people`; a test that needs others writes its own."""


def people(number: int, *, start: int = 1, status: str = "active") -> list[str]:
    """Return rows of this many people who all have a manager but the first."""
    return [
        f"e-{one},Person {one},e{one}@people.example,{'e-1' if one > 1 else ''},2020-01-01,,{status}"
        for one in range(start, start + number)
    ]


def file(rows: Sequence[str], header: str = HEADER) -> bytes:
    """Return a whole file."""
    return "".join(f"{line}\n" for line in (header, *rows)).encode()


async def send(bench: Bench, content: bytes, **query: str) -> dict[str, Any]:
    """Send a file as the HTTP route does: read it, then work it in one transaction."""
    (upload,) = bench.service.uploads
    read = upload.read({"tenant": "acme", "name": "people.csv"} | query, content)
    async with bench.database.transaction() as connection:
        tx: Store = bench.service.work(connection)
        answer = await upload.act(read, bench.clock.now(), tx)
        await outbox.put(connection, bench.service.source, tx.outgoing)
    return dict(msgspec.to_builtins(answer))


async def order(bench: Bench, path: str, **words: Any) -> dict[str, Any]:
    """Give an order about a run, as the HTTP route does."""
    act = next(one for one in bench.service.acts if one.path == path)
    known = {"tenant": "acme", "by": "ada", "reason": "looked at it"}
    async with bench.database.transaction() as connection:
        tx: Store = bench.service.work(connection)
        answer = await act.act(known | {name: str(value) for name, value in words.items()}, bench.clock.now(), tx)
        await outbox.put(connection, bench.service.source, tx.outgoing)
    return dict(answer)


async def ask(bench: Bench, path: str, tenant: str = "acme", **query: Any) -> dict[str, Any]:
    """Ask as a reader of one tenant does."""
    async with bench.database.reading(tenant) as connection:
        words = {name: str(value) for name, value in query.items()}
        answer = await bench.service.answers[path](connection, {"tenant": tenant} | words)
    return dict(json.loads(msgspec.json.encode(answer)))


async def told(bench: Bench) -> list[PersonRecordedV1]:
    """Return the people's records that wait in the outbox, in their order."""
    rows = await bench.outside.fetch("SELECT value FROM outbox ORDER BY id")
    return [msgspec.json.decode(row["value"], type=PersonRecordedV1) for row in rows]


async def statuses(bench: Bench, tenant: str = "acme") -> dict[str, str]:
    """Return who is here, and how."""
    rows = await bench.outside.fetch("SELECT person_id, status FROM people WHERE tenant_id = $1", tenant)
    return {row["person_id"]: row["status"] for row in rows}


def codes(found: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str]]:
    """Return line, column and code of what was told."""
    return [(one["line"], one["column"], one["code"]) for one in found]
