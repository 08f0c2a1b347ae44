"""What a replay of killers may do wrong is found: one lost, one done twice, a stop lost (RELIABILITY 5.11)."""

import json
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.live import c6
from tests.faults.live.evidence import Evidence, Story
from tests.faults.live.given import NOW, POLICY, accept, facts, raw
from tests.faults.live.judge import check
from tests.faults.live.killers import KILLERS, KILLS, TENANT, killers, requests
from tests.faults.live.truth import Key, expected, fold

ZONES = {f"p{number:04}": ("UTC", "Asia/Tokyo")[number % 2] for number in range(KILLERS)}
PUT_AWAY_AT = NOW.timestamp() + 20
REPLAYED_AT = NOW.timestamp() + 60


@pytest.fixture(name="evidence")
def evidence_fixture() -> Evidence:
    """Tell of people and killers only; put away, mended, replayed once, and asked about what was withdrawn."""
    people = raw([fact for fact in facts() if fact.type.startswith("people.")])
    told = [*killers(1, ZONES, POLICY, NOW), *requests(1, ZONES, NOW)]
    lines = [*people, *({**json.loads(json.dumps(line)), "at": NOW.timestamp() + 5} for line in told)]
    for line in people:  # everybody lives where the killers were told
        person = json.loads(line["value"])
        line["value"] = json.dumps({**person, "zone": ZONES.get(person["person_id"], "UTC")})
    evidence = Evidence(expected(fold(lines), POLICY, REPLAYED_AT + 60), [])
    evidence.ledger = {TENANT: Counter()}
    for key, notice in evidence.notices.items():
        if notice.verdict == "must":
            evidence.accepts.append(accept(key, REPLAYED_AT))
            evidence.ledger[TENANT]["sent"] += 1
        else:
            ended = {"step": key.step, "state": "suppressed", "reason": "withdrawn"}
            evidence.stories[key] = Story({}, {"messages": [ended]})
        for event in notice.stops:
            evidence.stops[event] = PUT_AWAY_AT
    return evidence


def first(evidence: Evidence, verdict: str) -> Key:
    return next(key for key, notice in evidence.notices.items() if notice.verdict == verdict)


def lost(evidence: Evidence) -> None:
    """Call a training replayed and give it to nobody."""
    evidence.accepts.pop()
    evidence.ledger[TENANT]["sent"] -= 1


def doubled(evidence: Evidence) -> None:
    """Give the same training again when it is replayed again."""
    evidence.accepts.append(accept(first(evidence, "must"), REPLAYED_AT + 5))
    evidence.ledger[TENANT]["sent"] += 1


def stop_lost(evidence: Evidence) -> None:
    """Call a withdrawal replayed and send what it ends."""
    evidence.accepts.append(accept(first(evidence, "may"), REPLAYED_AT + 5))
    evidence.ledger[TENANT]["sent"] += 1


def test_judge_finds_nothing_when_each_killer_was_replayed_once(evidence: Evidence) -> None:
    assert Counter(notice.verdict for notice in evidence.notices.values()) == {"must": 5, "may": 5}
    assert check(evidence) == []


@pytest.mark.parametrize(
    ("plant", "found"),
    [(lost, {"I1 lost"}), (doubled, {"I2 doubled"}), (stop_lost, {"I3 after stop"})],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_judge_reports_a_replay_that_was_lost_or_done_twice(
    evidence: Evidence, plant: Callable[[Evidence], None], found: set[str]
) -> None:
    """RELIABILITY section 9, C6: replayed once after a fix, replayed twice without a double."""
    plant(evidence)

    assert {violation.kind for violation in check(evidence)} == found


@pytest.mark.parametrize(
    ("reason", "applied", "wrong"),
    [(KILLS, [5, 0], 0), (KILLS, [4, 0], 1), (KILLS, [5, 5], 1), ("nul", [0, 0], 0), ("nul", [1, 0], 1)],
    ids=["once", "one lost", "twice", "never", "what nobody can read"],
)
def test_campaign_compares_what_each_replay_says_it_applied(reason: str, applied: list[int], wrong: int) -> None:
    assert len(c6.misapplied("reminders", {"reason": reason, "open": 5}, applied)) == wrong
