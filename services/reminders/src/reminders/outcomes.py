"""What was decided, as the facts that ask messenger and explain it to everybody else."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from duly_chassis.traces import Attributes, Span
from duly_contracts.decisions import MessageRequestedV1, MessageWithheldV1
from duly_contracts.envelope import instant
from duly_contracts.ids import derived
from duly_contracts.outreach import Ending, OutreachRequestedV2
from duly_contracts.traces import begun
from duly_contracts.training import TrainingCompletedV1, TrainingDueChangedV1, TrainingWithdrawnV1
from reminders import schedule
from reminders.deadline import Deadline
from reminders.domain import Decision
from reminders.store import Decided, Store

RULE = "deadline-reminder"


def emit(made: Sequence[Decided], tx: Store) -> None:
    """Tell each decision, and ask for the messages that were decided on; each goes on in the decision's own trace."""
    for one in made:
        because = trace_of(one.outreach_id)
        if one.decision.speak:
            tx.emit(derived("outreach-requested", str(one.outreach_id)), requested(one), because)
        tx.emit(derived("decision", str(one.outreach_id)), explained(one), because)
        tx.traced(span(one, because))


def trace_of(outreach_id: UUID) -> str:
    """Return the trace context of a decision: it begins a trace, linked to the fact that set the due date."""
    return begun("decision", str(outreach_id))


def span(one: Decided, context: str) -> Span:
    """Return the decision's span: ids and codes only."""
    row, decision = one.deadline, one.decision
    attributes: Attributes = {
        "duly.tenant": row.tenant_id,
        "duly.assignment": row.assignment_id,
        "duly.outreach": str(one.outreach_id),
        "duly.step": decision.step,
        "duly.requested": decision.speak,
        "duly.reason": decision.reason,
        "duly.decided_at": instant(one.decided_at),  # business clock; a span's own times are the machine's
    }
    return Span("decide reminder", (row.traceparent,), attributes, context)


def named(deadline: Deadline, decision: Decision, now: datetime) -> Decided:
    """Give a decision its names: the occurrence, and the outreach it asks for or would have asked for."""
    if deadline.due_at is None:
        raise ValueError("decision_without_due_date")
    occurrence = schedule.occurrence(decision.step, deadline.due_at)
    outreach_id = derived("outreach", *notification_key(deadline, occurrence))
    return Decided(deadline, decision, occurrence, outreach_id, deadline.policy_version, now)


def notification_key(deadline: Deadline, occurrence: str) -> tuple[str, ...]:
    """Name the notification: stable over restarts, replays, re-plans and edits of the policy."""
    return deadline.tenant_id, deadline.person_id, deadline.assignment_id, RULE, occurrence


def requested(one: Decided) -> OutreachRequestedV2:
    """Ask messenger for the reminder, and name the facts that would make it pointless."""
    row, decision = one.deadline, one.decision
    if row.due_at is None or row.due_stamp is None:
        raise ValueError("request_without_due_date")
    return OutreachRequestedV2(
        tenant_id=row.tenant_id,
        person_id=row.person_id,
        occurred_at=one.decided_at,
        outreach_id=one.outreach_id,
        about=row.assignment_id,
        message=RULE,
        step=decision.step,
        dedupe_key="/".join(notification_key(row, one.occurrence)[2:]),
        not_before=decision.moment,
        useful_until=row.next_due_at or row.due_at,  # then the next step says it better, or it is too late
        ends_when=(
            Ending(type=TrainingCompletedV1.type, about=row.assignment_id),
            Ending(type=TrainingWithdrawnV1.type, about=row.assignment_id),
            Ending(type=TrainingDueChangedV1.type, about=row.assignment_id, after=row.due_stamp.occurred_at),
        ),
        values={
            "training_title": row.training_title or row.training_id or row.assignment_id,
            "due_at": instant(row.due_at),
            "days": decision.step,
        },
        policy_version=one.policy_version,
        reason=decision.reason,
    )


def explained(one: Decided) -> MessageRequestedV1 | MessageWithheldV1:
    """Turn a decision into the fact that explains it."""
    row, decision = one.deadline, one.decision
    common: dict[str, object] = {
        "tenant_id": row.tenant_id,
        "person_id": row.person_id,
        "occurred_at": one.decided_at,
        "about": row.assignment_id,
        "rule": RULE,
        "step": decision.step,
        "policy_version": one.policy_version,
        "moment": decision.moment,
        "reason": decision.reason,
        "values": decision.values,
    }
    if decision.speak:
        return MessageRequestedV1(**common, outreach_id=one.outreach_id)  # type: ignore[arg-type]
    return MessageWithheldV1(**common)  # type: ignore[arg-type]
