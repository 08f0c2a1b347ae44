"""What intake tells a person who asks: what was reported of an outreach, what to read, what waits for their word."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from duly_chassis.database import Connection
from duly_chassis.web import Refusal, needed
from intake import reading

ROWS_MAX = 1_000


async def explain(_connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """Say that no person is known here: what was reported of their messages stands in messenger's part of the story."""
    needed(query, "tenant")
    return {"known": False}


async def reviews(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """List the texts that a person should read, with their words; who may ask is who may read them."""
    return {"reviews": [dict(row) for row in await reading.reviews(connection, needed(query, "tenant"), ROWS_MAX)]}


async def starts(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """List the STARTs that wait for this tenant's word."""
    return {"starts": [dict(row) for row in await reading.starts(connection, needed(query, "tenant"), ROWS_MAX)]}


async def reports(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """List what a provider reported of one outreach."""
    tenant, text = needed(query, "tenant"), needed(query, "outreach")
    try:
        outreach_id = UUID(text)
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_outreach") from None
    return {"reports": [dict(row) for row in await reading.reports(connection, tenant, outreach_id, ROWS_MAX)]}


async def summary(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """Count what came in for this tenant."""
    return {"callbacks": [dict(row) for row in await reading.counts(connection, needed(query, "tenant"))]}
