"""What holds sends back, and why: facts and `now` in, decisions out (RELIABILITY 8). Time never releases a brake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

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
