"""What a run leaves: the people's events, its row, and the answer to whoever sent the file."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from duly_chassis.work import Work
from duly_contracts.ids import derived
from duly_contracts.people import PersonalData, PersonRecordedV1
from roster.csv_file import FileRefused
from roster.domain import Plan
from roster.orders import Order
from roster.record import Change, Sheet
from roster.rows import Place, RunRow, json_text

TOLD_MAX = 1_000  # refused rows and findings in an answer and in a run's row
CHANGES_TOLD_MAX = 10_000
SOURCE = "duly/roster"


def emit(tenant_id: str, changes: Sequence[Change], now: datetime, tx: Work) -> None:
    """Tell everybody who must know; an id stands for one version of one person, however often it is told."""
    for change in changes:
        tx.emit(derived(SOURCE, tenant_id, change.record.person_id, str(change.version)), fact(tenant_id, change, now))


def fact(tenant_id: str, change: Change, now: datetime) -> PersonRecordedV1:
    """Return the whole record of a person as it stands after a change."""
    record = change.record
    return PersonRecordedV1(
        tenant_id=tenant_id,
        person_id=record.person_id,
        occurred_at=now,
        version=change.version,
        status=record.status or "active",
        since=record.since,
        zone=record.zone,
        locale=record.locale,
        manager_id=record.manager_id,
        department=record.department,
        team=record.team,
        role=record.role,
        location=record.location,
        hired_on=record.hired_on,
        personal=PersonalData(name=record.name or "", mail=record.mail, mobile=record.mobile),
    )


def run_row(order: Order, place: Place, plan: Plan, state: str, now: datetime, due: datetime | None) -> RunRow:
    """Return a planned run as it is kept."""
    return RunRow(
        order.tenant_id,
        place.next_run,
        state,
        order.file_name,
        order.digest,
        order.complete,
        plan.rows,
        plan.good_rows,
        plan.unchanged,
        json_text(plan.counts),
        json_text(plan.brakes),
        json_text(plan.refused[:TOLD_MAX]),
        plan.refused_rows,
        json_text(plan.findings[:TOLD_MAX]),
        len(plan.findings),
        place.changed_run,
        now,
        due,
    )


def refused_row(order: Order, place: Place, refused: FileRefused, now: datetime) -> RunRow:
    """Return the run of a file of which nothing was taken."""
    said = json_text([refused.finding])
    named = (order.tenant_id, place.next_run, "refused", order.file_name, order.digest, order.complete)
    return RunRow(*named, 0, 0, 0, "{}", "[]", said, 0, "[]", 0, place.changed_run, now, None)


def answer(order: Order, run: int | None, state: str, plan: Plan) -> dict[str, Any]:
    """Tell what happens to whom, which rows were refused, and what holds the run, if something does."""
    read = order.read
    return {
        "run": run,
        "state": state,
        "dry_run": order.dry_run,
        "complete": order.complete,
        "rows": plan.rows,
        "good_rows": plan.good_rows,
        "refused": plan.refused_rows,
        "unchanged": plan.unchanged,
        "counts": plan.counts,
        "delimiter": read.delimiter if isinstance(read, Sheet) else "",
        "brakes": [told(brake) for brake in plan.brakes],
        "refusals": [told(one) for one in plan.refused[:TOLD_MAX]],
        "found": len(plan.findings),
        "findings": [told(one) for one in plan.findings[:TOLD_MAX]],
        "changes": [
            {"person_id": change.record.person_id, "kind": change.kind, "fields": change.fields}
            for change in plan.changes[:CHANGES_TOLD_MAX]
        ],
    }


def refused_answer(order: Order, run: int | None, refused: FileRefused) -> dict[str, Any]:
    """Tell why nothing of a file was taken."""
    return {
        "run": run,
        "state": "refused",
        "dry_run": order.dry_run,
        "complete": order.complete,
        "refusals": [told(refused.finding)],
    }


def told(one: Any) -> Any:
    """Turn one of our dataclasses into what JSON holds."""
    return msgspec.to_builtins(one)
