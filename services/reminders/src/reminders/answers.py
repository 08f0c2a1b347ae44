"""What reminders tells a person who asks why, and what comes next."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from duly_chassis.database import Connection
from duly_chassis.web import needed
from duly_contracts.traces import trace_id
from reminders import outcomes, reading, schedule
from reminders.deadline import Deadline
from reminders.policies import Policies


async def explain(connection: Connection, query: Mapping[str, str], policies: Policies) -> dict[str, Any]:
    """Tell the story of one assignment: facts received, moments planned, decisions, and the next look."""
    tenant, person, assignment = (needed(query, name) for name in ("tenant", "person", "assignment"))
    row, decisions = await reading.story(connection, tenant, person, assignment)
    if row is None:
        return {"known": False}
    policy = policies.for_case(row)
    return {
        "known": True,
        "facts": facts(row),
        "policy": {"version": policy.version, "offsets_days": policy.offsets_days, "zone": row.zone},
        "planned": planned(row, policies),
        "trace": trace_id(row.traceparent),
        "decisions": [told(dict(decision)) for decision in decisions],
        "next_look_at": row.next_due_at,
    }


def told(decision: Mapping[str, Any]) -> dict[str, Any]:
    """Return one decision with what its rule looked at, and the trace it began."""
    trace = trace_id(outcomes.trace_of(decision["outreach_id"]))
    return {**decision, "values": msgspec.json.decode(decision["values"]), "trace": trace}


def facts(row: Deadline) -> dict[str, datetime | str | None]:
    """Return what is known of the assignment."""
    return {
        "training": row.training_title or row.training_id,
        "assigned_at": row.assigned_at,
        "due_at": row.due_at,
        "due_known_since": row.due_stamp.occurred_at if row.due_stamp else None,
        "completed_at": row.completed_at,
        "withdrawn_at": row.withdrawn_at,
    }


def planned(row: Deadline, policies: Policies) -> list[dict[str, Any]]:
    """Return every step's moment, as the plan stands."""
    policy = policies.for_case(row)
    return [
        {"step": moment.step, "at": moment.at, "threshold": moment.threshold}
        for moment in schedule.moments(row, policy, row.zone or policy.default_zone)
    ]


async def summary(connection: Connection, query: Mapping[str, str]) -> dict[str, Any]:
    """Count this tenant's assignments, and its decisions by outcome, reason and step."""
    tenant = needed(query, "tenant")
    decisions = await reading.counts(connection, tenant)
    return {"assignments": await reading.assignments(connection, tenant), "decisions": [dict(row) for row in decisions]}
