"""Records that kill the process which reads them, and are good facts to whoever survives them.

Who kills reminders gives somebody a training whose mail is due at once: it must be sent once the record is replayed,
and once only. Who kills messenger withdraws a training nobody has: a request for it, told after the replay, must come
to nothing. So the judge sees from outside whether a replay was lost or done twice.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from tests.faults.live.malformed import Line
from tests.faults.live.policy import Policy
from tests.faults.live.story import Fact, instant

KILLERS = 10
KILLS = "kills-the-process"
SERVICES = ("reminders", "messenger")
TENANT = "acme"
DAYS = 3  # of the policy's offsets, the last
WITHDRAWN = "duly.training.withdrawn.v1"


def mark_of(service: str) -> str:
    """Name the mark over which a service dies."""
    return f"DIES-{service}"


def killers(seed: int, zones: Mapping[str, str], policy: Policy, now: datetime) -> list[Line]:
    """Write them, one for each of these people in turn; a person's zone says which moment has just passed."""
    lines = []
    for number, (person, zone) in zip(range(KILLERS), zones.items(), strict=False):
        service = SERVICES[number % 2]
        data: dict[str, Any] = {"tenant_id": TENANT, "person_id": person, "assignment_id": _about(number)}
        if service == "reminders":
            due_at = policy.last_before(now, zone) + timedelta(days=DAYS)
            data |= {"occurred_at": instant(due_at - timedelta(days=DAYS + 2)), "due_at": instant(due_at)}
            data |= {"training_id": "t0", "training_title": f"Safety TRNG{TENANT}{_about(number)}x {mark_of(service)}"}
            kind = "training.assigned.v1"
        else:
            data |= {"occurred_at": instant(now), "training_id": "t0", "reason": mark_of(service)}
            kind = "training.withdrawn.v1"
        fact = Fact(0, kind, f"{TENANT}-killer-{seed}-{number}", _about(number), data)
        lines.append(fact.line(0) | {"poison": "", "reason": KILLS, "kept": (service,)})
    return lines


def requests(seed: int, zones: Mapping[str, str], now: datetime) -> list[Line]:
    """Ask messenger for mails about what its killers withdrew."""
    lines = []
    for number, person in zip(range(KILLERS), zones, strict=False):
        if SERVICES[number % 2] == "reminders":
            continue
        about, ahead = _about(number), instant(now + timedelta(days=1))
        values = {"training_title": f"Safety TRNG{TENANT}{about}x", "due_at": ahead, "days": "1"}
        outreach_id = str(UUID(int=seed * KILLERS + number, version=4))
        data = {
            "tenant_id": TENANT,
            "person_id": person,
            "occurred_at": instant(now),
            "outreach_id": outreach_id,
            "about": about,
            "message": "deadline-reminder",
            "step": "1",
            "dedupe_key": f"{about}/1",
            "not_before": instant(now),
            "useful_until": ahead,
            "ends_when": [{"type": WITHDRAWN, "about": about}],
            "values": values,
        }
        fact = Fact(0, "outreach.requested.v1", f"{TENANT}-asked-{seed}-{number}", outreach_id, data)
        lines.append(fact.line(0))
    return lines


def _about(number: int) -> str:
    return f"k{number:05}"
