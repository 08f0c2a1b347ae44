"""Judge what a lying Slack or Twilio accepted: each message exactly once, none lost, none parked, none to another.

A chat carries its ids beside the text; a text message carries a token, and the name of the training.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.logs import read
from tests.faults.rules import Violation
from tests.faults.vendors.slack import place_of
from tests.oracle.oulad import Truth

LEARNER = re.compile(r"learner(\d+)@")
TOKEN_CHARACTERS_MIN = 4


def judge(channel: str, truth: Truth, log: Path, parked: list[Any]) -> list[Violation]:
    """Apply every rule of this channel."""
    accepted = list(read(log))
    by_channel = {"slack": _chats, "sms": _texts}[channel]
    return [*(Violation("parked", f"{one}") for one in parked), *by_channel(truth, accepted)]


def number_of(mail: str) -> str:
    """Return the mobile number of who has this address."""
    found = LEARNER.match(mail)
    assert found is not None, "every learner has such an address"
    return f"+4474{int(found[1]):08}"


def _chats(truth: Truth, accepted: list[dict[str, Any]]) -> Iterator[Violation]:
    expected = Counter((place_of(to), about, step) for to, about, step in truth.reminders)
    met: Counter[tuple[str, str, str]] = Counter()
    names: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for entry in accepted:
        payload = entry["metadata"].get("event_payload", {})
        key = (entry["place"], str(payload.get("about")), str(payload.get("step")))
        met[key] += 1
        names[str(payload.get("outreach_id"))].add(key)
        if entry["metadata"].get("event_type") != "duly_outreach" or not payload.get("outreach_id"):
            yield Violation("unmarked", f"{key}: {entry['metadata']}")
    yield from _differences(expected, met)
    yield from (Violation("shared_id", f"{name}: {keys}") for name, keys in names.items() if len(keys) > 1)


def _texts(truth: Truth, accepted: list[dict[str, Any]]) -> Iterator[Violation]:
    """Count by person and training: a text names no step, so two of one training are told apart by their tokens."""
    expected = Counter((number_of(to), _training(about)) for to, about, _ in truth.reminders)
    trainings = {_training(about) for about in truth.assignments}
    met: Counter[tuple[str, str]] = Counter()
    tokens: Counter[tuple[str, str]] = Counter()
    for entry in accepted:
        body = entry["body"]
        named = [training for training in trainings if _named(training, body)]
        met[entry["to"], named[0] if len(named) == 1 else f"one of {named}: {body}"] += 1
        token = body.split()[-1]
        tokens[entry["to"], token] += 1
        if len(token) < TOKEN_CHARACTERS_MIN:
            yield Violation("no_token", body)
    yield from _differences(expected, met)
    yield from (Violation("doubled", f"{key}, {times} times") for key, times in tokens.items() if times > 1)


def _training(about: str) -> str:
    """Return the training's part of an assignment's id: module, presentation and assessment."""
    return about.rpartition("-")[0]


def _named(training: str, body: str) -> bool:
    module, presentation, assessment = training.split("-")
    return re.search(rf"\b{module} {presentation} \w+ {assessment}\b", body) is not None


def _differences(expected: Counter[Any], met: Counter[Any]) -> Iterator[Violation]:
    for key in sorted(expected.keys() | met.keys()):
        if met[key] < expected[key]:
            yield Violation("lost", f"{key}: {met[key]} of {expected[key]}")
        elif met[key] > expected[key]:
            yield Violation("doubled" if expected[key] else "wrong", f"{key}: {met[key]} of {expected[key]}")
