"""What a bounce makes of a message and of an address: facts in, a decision out, whatever came first."""

from dataclasses import dataclass
from enum import StrEnum

from messenger.domain import MAIL, Change, Outreach

BOUNCED = "bounced"
DEAD = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"})
"""The address is none: no such mailbox, no such host, no address at all, moved away, a domain that takes no mail.

Not the rest of 5.1: it is vague (5.1.0), says the address is good (5.1.5) or blames ours (5.1.7, 5.1.8).
"""

FAILABLE = frozenset({"posting", "sent", "in_doubt", "parked"})
PROVABLE = frozenset({"posting", "due", "held", "in_doubt", "parked"})


class Kind(StrEnum):
    """What kind of mail came back; the values are words of the story and of the metric."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    AUTO_REPLY = "auto_reply"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Report:
    """What is believed of a mail that came back. `status` is an enhanced code such as 5.1.1, or empty."""

    kind: Kind
    status: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What follows: a line of the story always, another state perhaps, a dead address perhaps."""

    change: Change
    settles: bool
    dead: bool


def effect(row: Outreach, attempt: int, report: Report) -> Effect:
    """Decide over a bounce of this attempt.

    Both a failure and a delivery prove that the relay had accepted the mail, so they settle what is in doubt; a
    delay settles nothing. What is told of an earlier attempt, or after an end, is a line of the story only. A row
    that is due again is not refused: the mail that waits is another one. But one that was delivered after all
    must not go again.
    """
    same = attempt == row.attempt and row.channel == MAIL  # what has moved on is another channel's business
    dead = report.kind is Kind.FAILED and report.status in DEAD
    if same and report.kind is Kind.FAILED and row.state in FAILABLE:
        return Effect(_change(row, "refused", BOUNCED, report), settles=True, dead=dead)
    if same and report.kind is Kind.DELIVERED and row.state in PROVABLE:
        return Effect(_change(row, "sent", "delivered", report), settles=True, dead=False)
    story = Change(row, row.state, f"bounce_{report.kind.value}", row.next_due_at, attempt, report.status)
    return Effect(story, settles=False, dead=dead)


def _change(row: Outreach, state: str, reason: str, report: Report) -> Change:
    return Change(row, state, reason, attempt=row.attempt, code=report.status)
