"""What holds sends back, and why: facts and `now` in, decisions out (RELIABILITY 8). Time never releases a brake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from uuid import UUID

from messenger.channel import Answer, InDoubt, RefusedForNow, Withheld
from messenger.domain import Outreach

KILL_SWITCH, PROVIDER, SEND_RATE = "kill_switch", "provider", "send_rate"
"""The kinds: a person said so; a provider fails; a tenant sends far more than it uses to."""

ALL = "*"
"""Instead of a tenant's name: every tenant. No tenant can be called so."""

HELD = "held"
"""The state of a message that a brake holds: not due, so that nobody scans it again and again."""

PROBE_EVERY = timedelta(minutes=1)
"""How often one real message is let through to a provider that failed (business clock)."""

BY_PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Brake:
    """One that holds, or in a rehearsal would."""

    id: int
    tenant_id: str
    kind: str
    channel: str
    reason: str
    held_by: str | None
    held_at: datetime
    holds: bool
    number: int
    probe: UUID | None
    released_by: str | None
    free_at: datetime | None
    probed_at: datetime | None = None  # of one that reports: when a probe would have been accepted

    @property
    def name(self) -> str:
        """Return how people name it."""
        return name(self.kind, self.tenant_id, self.channel)

    def covers(self, row: Outreach) -> bool:
        """Tell whether this message must not be tried; its probe may pass. The rate is judged apart, by counting."""
        if not self.holds or self.kind == SEND_RATE or self.probe == row.outreach_id:
            return False
        return self.tenant_id in (ALL, row.tenant_id) and self.channel in ("", row.channel)


def held_reason(kind: str) -> str:
    """Return the reason of a held message: it names the brake."""
    return f"held_{kind}"


def covering(rows: Sequence[Outreach], brakes: Sequence[Brake]) -> Mapping[str, Brake]:
    """Return, of the tenants of these messages, those that a brake holds, each with one; a person's word goes first."""
    by_rank = sorted(brakes, key=lambda one: one.kind == KILL_SWITCH)
    return {row.tenant_id: one for one in by_rank for row in rows if one.covers(row)}


def name(kind: str, tenant_id: str, channel: str) -> str:
    """Return how people name a brake: `kill-switch`, `kill-switch:acme`, `provider:acme:slack`, `send-rate:acme`."""
    return ":".join(filter(None, (kind.replace("_", "-"), "" if tenant_id == ALL else tenant_id, channel)))


def parsed(text: str) -> tuple[str, str, str]:
    """Read a brake's name as kind, tenant and channel; raises ValueError."""
    kind, *others = text.split(":")
    tenant, channel = [*others, "", ""][:2]
    if len(others) > 2 or kind.replace("-", "_") not in (KILL_SWITCH, PROVIDER, SEND_RATE):  # noqa: PLR2004 - as above
        raise ValueError("not a brake of messenger's")
    return kind.replace("-", "_"), tenant or ALL, channel


LAST = 100
"""So many answers of a provider are remembered for each tenant."""

ERRORS_MAX = 20
"""More errors than these among the last hundred, and the provider is held: fewer answers prove no share."""

AUTH = frozenset({"auth_failed", "scope_missing"})
"""Nothing more will be taken until somebody sets it right: one such answer is enough."""

NO_ERRORS = frozenset({"rate_limited", "recipient_refused"})
"""Refusals for now that say nothing bad about the provider: its limits have a pace, an address is one address."""

ERROR, FINE = "x", "."


@dataclass(frozen=True, slots=True)
class Signs:
    """What one batch of answers says of a provider, for one tenant: a sign for each, in their order."""

    text: str = ""
    refused_us: bool = False


def signs(told: Sequence[tuple[Outreach, Answer]]) -> dict[str, Signs]:
    """Read answers as signs, by tenant. What the gate withheld was never asked."""
    found: dict[str, Signs] = {}
    for row, answer in told:
        if isinstance(answer, Withheld):
            continue
        before = found.get(row.tenant_id, Signs())
        refused_us = isinstance(answer, RefusedForNow) and answer.reason in AUTH
        text = before.text + (ERROR if is_error(answer) else FINE)
        found[row.tenant_id] = Signs(text, before.refused_us or refused_us)
    return found


def is_error(answer: Answer) -> bool:
    """Tell whether an answer is one of a provider that does not work; an unknown fate counts as one."""
    return isinstance(answer, InDoubt) or (isinstance(answer, RefusedForNow) and answer.reason not in NO_ERRORS)


def verdict(said: Signs, errors: int) -> str | None:
    """Return why a provider is held, or None."""
    if said.refused_us:
        return "the provider refuses our credentials"
    return f"{errors} of the last {LAST} answers were errors" if errors > ERRORS_MAX else None


RATE_FACTOR = 3
WEEKS = 4


def rate_max(past: Sequence[int], floor: int) -> int | None:
    """Return how many messages a tenant may have sent in this hour, by the same hour of the weeks before.

    Three times their median, and never under the floor. None in a tenant's first week: nobody knows what is usual.
    """
    return max(floor, int(RATE_FACTOR * median(past))) if past else None


def hour_of(now: datetime) -> datetime:
    """Return the begin of the hour, in UTC."""
    return now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
