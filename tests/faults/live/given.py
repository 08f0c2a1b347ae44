"""Evidence made by hand: a told story in which everything went well, for tests that then spoil one thing of it."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.live.evidence import Accept, Evidence, Story
from tests.faults.live.policy import Policy
from tests.faults.live.story import Cast, Fact, story
from tests.faults.live.truth import Key, Notice, expected, fold

NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
BURST = NOW + timedelta(seconds=60)
POLICY = Policy.around(BURST)
CAST = Cast(tenants=("acme", "bolt"), people=20, assignments=60, feed_s=40)
UNTIL = (NOW + timedelta(minutes=5)).timestamp()


def facts(seed: int = 1) -> list[Fact]:
    """Tell a small story."""
    return story(seed, CAST, POLICY, NOW, BURST)


def raw(told: list[Fact]) -> list[dict[str, Any]]:
    """Write the raw log that the feeder would have written, a chunk for each fact."""
    return [
        {
            "at": NOW.timestamp() + fact.after_s,
            "chunk": number,
            "topic": fact.topic,
            "key": fact.key,
            "headers": [list(header) for header in fact.headers()],
            "value": json.dumps(fact.data),
        }
        for number, fact in enumerate(told)
    ]


def notices(told: list[Fact]) -> dict[Key, Notice]:
    """Recompute what had to happen."""
    return expected(fold(raw(told)), POLICY, UNTIL)


def accept(key: Key, begun: float) -> Accept:
    """Accept a mail as it should be."""
    return Accept(key, begun, (f"CNRY{key.tenant}{key.person}x", f"TRNG{key.tenant}{key.assignment}x"))


def clean(told: list[Fact]) -> Evidence:
    """Send what must be sent, and keep silent, with a reason, about the rest."""
    known = notices(told)
    evidence = Evidence(known, [])
    evidence.ledger = {tenant: Counter() for tenant in CAST.tenants}
    for key, notice in known.items():
        if notice.verdict == "must":
            evidence.accepts.append(accept(key, notice.due_at + 1))
            evidence.ledger[key.tenant]["sent"] += 1
        else:
            reason = min(notice.reasons)
            decision = {"step": key.step, "requested": False, "reason": reason}
            evidence.stories[key] = Story({"decisions": [decision]}, {"messages": []})
        for event in notice.stops:
            evidence.stops[event] = notice.due_at + 5
    return evidence
