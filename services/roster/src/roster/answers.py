"""What roster tells a person who asks: its runs, one of them whole, and who somebody is here. No personal data."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec

from duly_chassis.database import Connection
from duly_chassis.web import Refusal, needed
from roster import reading
from roster.handlers import number
from roster.outcomes import CHANGES_TOLD_MAX

RUNS_MAX = 100
HISTORY_MAX = 20
JSON_COLUMNS = ("counts", "brakes", "refusals", "findings")


async def runs(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """List the last runs, newest first."""
    found = await reading.runs(connection, needed(query, "tenant"), RUNS_MAX)
    return {"runs": [_plain(row) for row in found]}


async def run(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """Tell all of one run: what it did or would do, what was refused, who decided."""
    tenant, wanted = needed(query, "tenant"), number(query)
    row = await reading.run(connection, tenant, wanted)
    if row is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "no_such_run")
    return {
        **_plain(row),
        "changes": [dict(one) for one in await reading.changes(connection, tenant, wanted, CHANGES_TOLD_MAX)],
        "decisions": [dict(one) for one in await reading.decisions(connection, tenant, wanted)],
    }


async def explain(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """Tell who somebody is here, and which runs said so."""
    tenant, person = needed(query, "tenant"), needed(query, "person")
    row = await reading.person(connection, tenant, person)
    if row is None:
        return {"known": False}
    history = await reading.history(connection, tenant, person, HISTORY_MAX)
    return {"known": True, "record": dict(row), "runs": [dict(one) for one in history]}


async def summary(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """Count this tenant's people by status, and name its held runs."""
    tenant = needed(query, "tenant")
    people = {row["status"]: row["number"] for row in await reading.counts(connection, tenant)}
    return {"people": people, "held_runs": await reading.held(connection, tenant)}


def _plain(row: asyncpg.Record) -> dict[str, Any]:
    """Return a run's row with its JSON columns read."""
    return {name: msgspec.json.decode(value) if name in JSON_COLUMNS else value for name, value in dict(row).items()}
