"""Judge a campaign: what should have been sent, what was, and what the server did to it.

Shares no code with the product. By hand:
`python -m tests.faults.checker FOLDER --log accepts.jsonl --outcome outcome.json --kills 10`
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.faults.evidence import Evidence, accepted_from, faults_from, parked_from
from tests.faults.rules import RULES, Violation
from tests.oracle.oulad import truth

SHOWN_PER_KIND_MAX = 10


def check(evidence: Evidence) -> list[Violation]:
    """Apply every rule."""
    return [violation for rule in RULES for violation in rule(evidence)]


def figures(evidence: Evidence) -> dict[str, Any]:
    """Count what happened, for the report."""
    expected = evidence.truth.reminders
    accepted = {mail.key for mail in evidence.accepted}
    delays = [mail.date - expected[mail.key] for mail in evidence.accepted if mail.date and mail.key in expected]
    return {
        "expected": len(expected),
        "accepted": len(evidence.accepted),
        "expected_and_accepted": len(accepted & expected.keys()),
        "parked": len(evidence.parked),
        "parked_and_accepted": len({mail.key for mail in evidence.parked} & accepted),
        "parked_cut_by_name": len({mail.key for mail in evidence.parked} & evidence.faults.cut),
        "retried_later": sum(delay > timedelta() for delay in delays),
        "delay_minutes_max": max(delays, default=timedelta()) / timedelta(minutes=1),
        "kills": evidence.kills,
        "faults": dict(sorted(evidence.faults.by_deed.items())),
    }


def report(evidence: Evidence, broken: Sequence[Violation]) -> str:
    """Say it for people: figures first, then what was broken."""
    return "".join(f"{name}: {value}\n" for name, value in figures(evidence).items()) + violations(broken)


def violations(broken: Sequence[Violation]) -> str:
    """Say what was broken: each kind of violation with its first cases."""
    kinds = Counter(violation.kind for violation in broken)
    lines = ["violations: " + (json.dumps(kinds) if kinds else "none")]
    for kind, times in kinds.items():
        cases = [violation.what for violation in broken if violation.kind == kind]
        lines += [f"  {kind}: {what}" for what in cases[:SHOWN_PER_KIND_MAX]]
        if times > SHOWN_PER_KIND_MAX:
            lines.append(f"  {kind}: and {times - SHOWN_PER_KIND_MAX} more")
    return "\n".join(lines) + "\n"


def gather(
    folder: Path, log: Path, faults: Path, outcome: dict[str, Any], kills: int, until: date | None = None
) -> Evidence:
    """Read everything a campaign left behind."""
    expected = truth(folder, until)
    return Evidence(expected, accepted_from(log), faults_from(faults), parked_from(outcome), kills)


def main() -> int:
    """Check by hand what a run left behind."""
    parser = argparse.ArgumentParser(description="Judge what an SMTP server accepted against a folder's truth.")
    parser.add_argument("folder", type=Path, help="the folder in OULAD form that was replayed")
    parser.add_argument("--log", type=Path, required=True, help="the server's accept log")
    parser.add_argument("--faults", type=Path, help="the server's fault log; default: LOG.faults")
    parser.add_argument("--outcome", type=Path, help="the replay's JSON; without it nothing counts as parked")
    parser.add_argument("--kills", type=int, default=0, help="how often everything was killed")
    parser.add_argument("--until", type=date.fromisoformat, help="the replay's --until")
    given = parser.parse_args()
    outcome = json.loads(given.outcome.read_text(encoding="utf-8")) if given.outcome else {"parked": []}
    faults = given.faults or given.log.with_name(given.log.name + ".faults")
    evidence = gather(given.folder, given.log, faults, outcome, given.kills, given.until)
    broken = check(evidence)
    sys.stdout.write(report(evidence, broken))
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
