"""What a rehearsal did, asked from the services that did it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duly_cli import asking
from duly_cli.rehearsal.play import Play
from duly_local.stack import Endpoints


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts at the end of a rehearsal."""

    assignments: int
    reminders: dict[str, int]
    """Mails sent, by step."""
    decisions: dict[str, int]
    """Decisions by reason, requested ones under `moment_reached`."""
    suppressed: dict[str, int]
    """Messages that were asked for and not sent, by reason."""
    parked: list[dict[str, str]]
    held: list[dict[str, Any]]
    """What brakes would have held, each with its tenant: in a rehearsal they only report."""
    events: int
    seconds: float
    mails: Path | None
    page: str = ""
    """Where they can be looked at while the rehearsal's stack runs; empty where it has no inbox."""

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "assignments": self.assignments,
            "reminders": self.reminders,
            "sent": sum(self.reminders.values()),
            "decisions": self.decisions,
            "suppressed": self.suppressed,
            "would_have_held": self.held,
            "parked": self.parked,
            "seconds": round(self.seconds, 3),
            "events_per_second": round(self.events / self.seconds, 1) if self.seconds else 0.0,
            "mails_per_second": round(sum(self.reminders.values()) / self.seconds, 1) if self.seconds else 0.0,
        }


async def summarise(play: Play, addresses: dict[str, str], endpoints: Endpoints, seconds: float) -> Summary:
    """Ask each service for its part."""
    tenant = {"tenant": play.tenant_id}
    decided = await asking.get(addresses["reminders"], "/v1/summary", tenant)
    sent = await asking.get(addresses["messenger"], "/v1/summary", tenant)
    messages = sent["messages"]
    parked = await asking.get(addresses["messenger"], "/v1/parked", tenant)
    decisions: dict[str, int] = {}
    for row in decided["decisions"]:
        decisions[row["reason"]] = decisions.get(row["reason"], 0) + row["number"]
    return Summary(
        assignments=decided["assignments"],
        reminders=_by(messages, "step", "sent"),
        decisions=decisions,
        suppressed=_by(messages, "reason", "suppressed"),
        parked=[
            {"to": row["mail"] or "", "assignment": row["about"], "step": row["step"], "why": row["reason"]}
            for row in parked["parked"]
        ],
        held=[
            {"brake": row["name"], "tenant": play.tenant_id, "times": row["times"], "messages": row["held"]}
            for row in sent["reported"]
        ],
        events=len(play.facts),
        seconds=seconds,
        mails=endpoints.mails,
        page=endpoints.inbox_url,
    )


def _by(messages: list[dict[str, Any]], name: str, state: str) -> dict[str, int]:
    """Count the messages in one state by another column."""
    counted: dict[str, int] = {}
    for row in messages:
        if row["state"] == state:
            counted[row[name]] = counted.get(row[name], 0) + row["number"]
    return counted
