"""What roster does with a file or a person's word: load, plan, save, emit. The chassis owns the transaction."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from duly_chassis import crash
from duly_chassis.logs import log
from duly_chassis.web import Refusal, needed
from roster import domain, outcomes
from roster.brake import Limits
from roster.csv_file import FileRefused
from roster.domain import Plan
from roster.orders import Order, printable
from roster.rows import Place
from roster.store import Store

LOG = log("roster")
WORDS_CHARACTERS_MAX = 500  # of who decided, and of why


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator set for runs."""

    limits: Limits
    held: timedelta
    """How long a held run waits for its decision."""


async def import_file(order: Order, now: datetime, tx: Store, rules: Rules) -> dict[str, Any]:
    """Take a file: apply it, hold it whole for a person, or refuse it whole; a dry run only says which."""
    if isinstance(order.read, FileRefused):
        return await _refuse(order, order.read, now, tx)
    place = await (tx.look(order.tenant_id) if order.dry_run else tx.lock(order.tenant_id))
    roster = await tx.roster(order.tenant_id, place)
    plan = await asyncio.to_thread(
        domain.plan, roster, order.read, complete=order.complete, limits=rules.limits, now=now
    )
    crash.at("import-planned")
    if order.dry_run:
        return outcomes.answer(order, None, "held" if plan.brakes else "dry_run", plan)
    if not plan.brakes:
        await _apply(order, place, plan, now, tx)
        return outcomes.answer(order, place.next_run, "applied", plan)
    run = await tx.held_alike(outcomes.run_row(order, place, plan, "held", now, None))
    if run is None:
        run = await _hold(order, place, plan, now, tx, rules.held)
    return outcomes.answer(order, run, "held", plan)


async def _refuse(order: Order, refused: FileRefused, now: datetime, tx: Store) -> dict[str, Any]:
    """Nothing of the file is taken; that it came is kept."""
    if order.dry_run:
        return outcomes.refused_answer(order, None, refused)
    place = await tx.lock(order.tenant_id)
    await tx.record(outcomes.refused_row(order, place, refused, now))
    await tx.decide(order.tenant_id, place.next_run, "refused", order.by, refused.finding.code, now)
    LOG.warning("file_refused", tenant=order.tenant_id, run=place.next_run, code=refused.finding.code)
    return outcomes.refused_answer(order, place.next_run, refused)


async def _apply(order: Order, place: Place, plan: Plan, now: datetime, tx: Store) -> None:
    run = place.next_run
    await tx.record(outcomes.run_row(order, place, plan, "applied", now, None))
    await tx.decide(order.tenant_id, run, "applied", order.by, "below every brake", now)
    if plan.changes:
        await tx.save(order.tenant_id, run, plan.changes, now)
        await tx.note_changes(order.tenant_id, run, plan.changes, held=False)
        await asyncio.to_thread(outcomes.emit, order.tenant_id, plan.changes, now, tx)
    crash.at("import-written")
    await tx.taken(order.tenant_id, run, plan.good_rows if order.complete else None, changed=bool(plan.changes))


async def _hold(order: Order, place: Place, plan: Plan, now: datetime, tx: Store, wait: timedelta) -> int:
    """Keep the whole run for a person; nothing of it is in force (I6)."""
    run, codes = place.next_run, ", ".join(brake.code for brake in plan.brakes)
    await tx.record(outcomes.run_row(order, place, plan, "held", now, now + wait))
    await tx.decide(order.tenant_id, run, "held", order.by, codes, now)
    await tx.note_changes(order.tenant_id, run, plan.changes, held=True)
    LOG.warning("run_held", tenant=order.tenant_id, run=run, brakes=codes)
    return run


async def release(order: Mapping[str, Any], now: datetime, tx: Store) -> dict[str, Any]:
    """Put exactly the held run in force, on the word of a named person; 409 when the roster has changed since."""
    tenant_id, by, reason = _decider(order)
    place = await tx.lock(tenant_id)
    run = await tx.held(tenant_id, number(order))
    if run is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "not_held")
    if run.base_run != place.changed_run:
        raise Refusal(HTTPStatus.CONFLICT, "stale")
    changes = await tx.proposal(tenant_id, run.run)
    if changes:
        await tx.save(tenant_id, run.run, changes, now)
        await asyncio.to_thread(outcomes.emit, tenant_id, changes, now, tx)
    await tx.taken(tenant_id, run.run, run.good_rows if run.complete else None, changed=bool(changes))
    await tx.end(tenant_id, run.run, "released")
    await tx.decide(tenant_id, run.run, "released", by, reason, now)
    return {"run": run.run, "state": "released", "changed": len(changes)}


async def discard(order: Mapping[str, Any], now: datetime, tx: Store) -> dict[str, Any]:
    """Throw a held run away, on the word of a named person; nothing of it was ever in force."""
    tenant_id, by, reason = _decider(order)
    await tx.lock(tenant_id)
    run = await tx.held(tenant_id, number(order))
    if run is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "not_held")
    await tx.end(tenant_id, run.run, "discarded")
    await tx.decide(tenant_id, run.run, "discarded", by, reason, now)
    return {"run": run.run, "state": "discarded", "changed": 0}


def _decider(order: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the tenant, who decides and why; raises Refusal 400 for one that is missing or cannot be read."""
    by, reason = (printable(needed(order, name), WORDS_CHARACTERS_MAX).strip() for name in ("by", "reason"))
    return needed(order, "tenant"), needed({"by": by}, "by"), needed({"reason": reason}, "reason")


def number(order: Mapping[str, Any]) -> int:
    """Return the number of the run an order is about; raises Refusal 400."""
    text = needed(order, "run")
    if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - digits of a 32-bit number
        raise Refusal(HTTPStatus.BAD_REQUEST, "needs_run")
    return int(text)
