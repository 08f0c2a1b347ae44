"""What messenger tells a person who asks: a message's story, and what is parked."""

from collections import Counter
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

import msgspec

from duly_chassis.database import Connection
from duly_chassis.web import Refusal, needed
from duly_contracts.traces import trace_id
from messenger import reading, tracing
from messenger.domain import SMS
from messenger.limits import braking
from messenger.sending.rows import is_dead

PARKED_MAX = 10_000
BOUNCES_MAX = 10_000
BLOCKS_MAX = 10_000
CHOICES = {
    "send": "try it again: the person may hear it twice",
    "settle": "close it as sent or as not sent: the person may hear nothing",
}


async def explain(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """Tell the story of a person's messages about one thing, each with its ledger states.

    Asked with `outreach` instead of `person` and `assignment`, it names these two of that message first: a mail in
    hand says its tenant and this id, and nothing that would name a person.
    """
    tenant = needed(query, "tenant")
    if "outreach" not in query:
        return await _story(connection, tenant, needed(query, "person"), needed(query, "assignment"))
    found = await reading.concerned(connection, tenant, _outreach_id(query))
    if found is None:
        return {"known": False, "messages": []}
    who = {"person": found["person_id"], "assignment": found["about"]}
    return who | await _story(connection, tenant, found["person_id"], found["about"])


async def _story(connection: Connection, tenant: str, person: str, about: str) -> dict[str, Any]:
    rows = await reading.story(connection, tenant, person, about)
    return {"known": bool(rows), "messages": [told(dict(row)) for row in rows]}


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one message with its history: the trace of its request, and that of each attempt."""
    history = msgspec.json.decode(row["history"] or "[]")
    for change in history:
        if change["state"] == "posting":
            began = tracing.attempt(row["tenant_id"], row["outreach_id"], change["attempt"])
            change["trace"] = trace_id(began)
    shown = {name: value for name, value in row.items() if name not in ("tenant_id", "traceparent")}
    ahead = msgspec.json.decode(row["plan"])
    return {**shown, "plan": ahead, "trace": trace_id(row["traceparent"]), "history": history}


def _outreach_id(query: Mapping[str, str]) -> UUID:
    try:
        return UUID(query["outreach"])
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_outreach") from None


async def parked(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """List the messages that nobody can know the fate of, the oldest first, with both choices and the evidence."""
    rows = await reading.parked_list(connection, needed(query, "tenant"), PARKED_MAX)
    return {"choices": CHOICES, "parked": [_parked(dict(row)) for row in rows]}


def _parked(row: dict[str, Any]) -> dict[str, Any]:
    """Show where it went, or would go, and what its provider said each time it was asked."""
    of_record = row.pop("mobile") if row["channel"] == SMS else row["mail"]
    row.pop("mobile", None)
    address = row["address"] or of_record
    return {**row, "address": address, "evidence": msgspec.json.decode(row["evidence"] or "[]")}


async def bounces(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """List dead addresses by their people, and bounces that could not be read or placed; no address is shown."""
    tenant = needed(query, "tenant")
    dead = [row for row in await reading.dead(connection, tenant, BOUNCES_MAX) if is_dead(row)]
    odd = await reading.odd_bounces(connection, tenant, BOUNCES_MAX)
    return {
        "dead": [{name: row[name] for name in ("person_id", "code", "since", "outreach_id")} for row in dead],
        "odd": [dict(row) for row in odd],
    }


async def blocks(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """List blocked numbers by their digests; no number is known here."""
    return {"blocks": [dict(row) for row in await reading.blocks(connection, needed(query, "tenant"), BLOCKS_MAX)]}


async def reports(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """List what providers reported of messages that nobody knows."""
    return {"odd": [dict(row) for row in await reading.odd_reports(connection, needed(query, "tenant"), BLOCKS_MAX)]}


async def summary(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """Count this tenant's messages by state and step, and those that a provider's pace held back, by channel.

    Its brakes stand beside them: what holds, and in a rehearsal what would have held how many messages, and how often.
    """
    tenant = needed(query, "tenant")
    rows = await reading.counts(connection, tenant)
    paced = await reading.paced(connection, tenant)
    brakes = [dict(row) for row in await reading.brakes(connection, tenant)]
    return {
        "messages": [dict(row) for row in rows],
        "paced": {row["channel"]: row["number"] for row in paced},
        "brakes": [_brake(row) for row in brakes if row["released_at"] is None],
        "reported": _reported([row for row in brakes if not row["holds"]]),
    }


def _reported(brakes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    times = Counter(_name(row) for row in brakes)
    held = {name: sum(row["number"] for row in brakes if _name(row) == name) for name in times}
    return [{"name": name, "times": times[name], "held": held[name]} for name in sorted(times)]


def _name(row: Mapping[str, Any]) -> str:
    return braking.name(row["kind"], row["tenant_id"], row["channel"])


def _brake(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": _name(row),
        "since": row["held_at"],
        "reason": row["reason"],
        "holds": row["holds"],
        "held": row["number"],
    }
