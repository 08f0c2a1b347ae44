"""The traces of messages: a request's own is kept in the ledger, and each attempt begins one that is linked to it."""

from dataclasses import replace
from uuid import UUID

from duly_chassis.traces import Attributes, Span
from duly_contracts.traces import begun
from messenger.domain import Change, Outreach


def attempt(tenant_id: str, outreach_id: UUID, number: int) -> str:
    """Return the trace context of one attempt; the same wherever it is asked for, so nobody has to store it."""
    return begun("attempt", tenant_id, str(outreach_id), str(number))


def sent(change: Change, cause: str, channel: str, lasted_s: float) -> Span:
    """Return the span of an attempt that was answered; `cause` is the request's trace context. Ids and codes only."""
    outreach = change.outreach
    attributes: Attributes = {
        "duly.tenant": outreach.tenant_id,
        "duly.outreach": str(outreach.outreach_id),
        "duly.about": outreach.about,
        "duly.step": outreach.step,
        "duly.channel": channel,
        "duly.attempt": change.attempt,
        "duly.outcome": change.state,
        "duly.reason": change.reason,
        "duly.code": change.code,
    }
    own = attempt(outreach.tenant_id, outreach.outreach_id, change.attempt)
    return Span("send message", (cause,), attributes, own, "client", lasted_s, failed=change.state != "sent")


def attempted(change: Change) -> Outreach:
    """Return the message as this attempt leaves it; what is told of its outcome goes on in the attempt's trace."""
    outreach = change.outreach
    trace = attempt(outreach.tenant_id, outreach.outreach_id, change.attempt)
    return replace(outreach, attempt=change.attempt, traceparent=trace)
