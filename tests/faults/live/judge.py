"""Judge a campaign and say it: figures first, then what was broken."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.faults.checker import SHOWN_PER_KIND_MAX
from tests.faults.live.evidence import Evidence
from tests.faults.live.rules import RULES, fault_seconds
from tests.faults.rules import Violation


def check(evidence: Evidence) -> list[Violation]:
    """Apply every rule."""
    return [violation for rule in RULES for violation in rule(evidence)]


def figures(evidence: Evidence) -> dict[str, Any]:
    """Count what happened."""
    verdicts = Counter(notice.verdict for notice in evidence.notices.values())
    delays = sorted(
        accept.begun - evidence.notices[accept.key].due_at
        for accept in evidence.accepts
        if accept.key in evidence.notices
    )
    races = [accept for accept in evidence.accepts if (accept.key.tenant, accept.key.assignment) in evidence.commits]
    lead = sorted(evidence.commits[one.key.tenant, one.key.assignment] - one.begun for one in races)
    return {
        "events_told": evidence.told,
        "notifications": dict(sorted(verdicts.items())),
        "accepted": len(evidence.accepts),
        "parked": len(evidence.parked),
        "parked_cut_by_the_server": len(set(evidence.parked) & evidence.cut),
        "refused_for_good": len(evidence.refused),
        **({"turned_away_before_tls": len(evidence.turned_away)} if evidence.tls else {}),
        "stories_asked": len(evidence.stories),
        "delay_s_median": round(delays[len(delays) // 2], 1) if delays else None,
        "delay_s_max": round(delays[-1], 1) if delays else None,
        "fault_seconds": round(fault_seconds(evidence), 1),
        "blows": dict(sorted(evidence.blows.items())),
        **({"races_sent_first": len(lead), "sent_before_commit_ms_min": round(1_000 * lead[0], 1)} if lead else {}),
        "lies": dict(sorted(evidence.lies.items())),
    }


def report(evidence: Evidence, violations: Sequence[Violation]) -> str:
    """Say it for people."""
    lines = [f"{name}: {value}" for name, value in figures(evidence).items()]
    kinds = Counter(violation.kind for violation in violations)
    lines.append("violations: " + (json.dumps(kinds) if kinds else "none"))
    for kind, times in kinds.items():
        cases = [violation.what for violation in violations if violation.kind == kind]
        lines += [f"  {kind}: {what}" for what in cases[:SHOWN_PER_KIND_MAX]]
        if times > SHOWN_PER_KIND_MAX:
            lines.append(f"  {kind}: and {times - SHOWN_PER_KIND_MAX} more")
    return "\n".join(lines) + "\n"
