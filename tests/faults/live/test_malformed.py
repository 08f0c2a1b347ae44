"""The bad records are bad in every way once, and the comparison with the dead letters finds each planted fault."""

import json
from typing import Any

import pytest

from tests.faults.live import c6
from tests.faults.live.given import NOW, POLICY
from tests.faults.live.killers import KILLERS, KILLS, killers
from tests.faults.live.letters import misplaced
from tests.faults.live.malformed import KINDS, records
from tests.faults.live.truth import fold

NUMBER = 3 * len(KINDS)


def bad() -> list[dict[str, Any]]:
    """Return where each of these records came to lie."""
    return [
        {"place": f"duly.training[0] {offset}", **{name: line[name] for name in ("poison", "reason", "kept")}}
        for offset, line in enumerate(records(1, NUMBER, "acme"))
    ]


def kept(service: str) -> list[dict[str, Any]]:
    """Return the dead letters there should be of them."""
    return [
        {"topic": "duly.training", "partition": 0, "offset": offset, "reason": one["reason"]}
        for offset, one in enumerate(bad())
        if service in one["kept"]
    ]


def kinds(letters: list[dict[str, Any]]) -> list[str]:
    return [violation.kind for violation in misplaced("reminders", bad(), letters)]


def test_bad_records_repeat_from_their_seed_and_tell_the_judge_nothing() -> None:
    """S-54 to S-63: every kind, and none of it may count as a fact."""
    lines = records(1, NUMBER, "acme")

    assert {line["poison"] for line in lines} == {kind.name for kind in KINDS} | {"first of its id"}
    assert [line["poison"] for line in lines] == [line["poison"] for line in records(1, NUMBER, "acme")]
    assert all(line["value"] is None or line["value"].encode("latin-1") for line in lines)
    told = fold([{**json.loads(json.dumps(line)), "at": NOW.timestamp()} for line in lines])
    assert not told.people
    assert not told.assignments


def test_killers_are_good_facts_to_whoever_survives_them() -> None:
    """S-64: reminders' give somebody a training, messenger's end one that nobody has."""
    lines = killers(1, {f"p{number}": "UTC" for number in range(KILLERS)}, POLICY, NOW)
    told = fold([{**json.loads(json.dumps(line)), "at": NOW.timestamp()} for line in lines])

    given = [known for known in told.assignments.values() if known.given_at is not None]
    assert len(given) == KILLERS // 2
    assert all(not known.ends for known in given)


def test_comparison_finds_nothing_when_every_bad_record_lies_there_once() -> None:
    assert kinds(kept("reminders")) == []


@pytest.mark.parametrize(
    ("plant", "found"),
    [
        (lambda letters: letters.pop(), ["dead letter missing"]),
        (lambda letters: letters.append(letters[0]), ["dead letter missing"]),
        (lambda letters: letters[0].update(reason="shape"), ["dead letter's reason"]),
        (lambda letters: letters.append({**letters[0], "offset": 9_999}), ["dead letter of a good one"]),
    ],
    ids=["lost", "twice", "other reason", "good one"],
)
def test_comparison_reports_a_planted_fault_by_its_name(plant: Any, found: list[str]) -> None:
    letters = kept("reminders")
    plant(letters)

    assert kinds(letters) == found


def test_letters_must_end_as_a_person_decided() -> None:
    """RELIABILITY 5.11: a replay settles what it applied and nothing else."""

    def group(reason: str, open_now: int, replayed: int = 0, discarded: int = 0) -> dict[str, Any]:
        return {"reason": reason, "open": open_now, "replayed": replayed, "discarded": discarded}

    before = [group(KILLS, 5), group("nul", 3), group("size", 2), group("size", 4)]
    after = [group(KILLS, 0, replayed=5), group("nul", 0, discarded=3), group("size", 6)]

    assert c6.unsettled("reminders", before, after) == []
    assert len(c6.unsettled("reminders", before, [group(KILLS, 1, replayed=4), *after[1:]])) == 1
