"""The events of the state arms: the published examples, given other people, assignments and ids."""

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

EXAMPLES = Path(__file__).resolve().parents[1] / "contracts" / "examples"
LEARNERS = 20_000
COURSES = 4
COMPLETED_SHARE = 0.1  # these change the state for good, and each leaves one output event
REPEATED_SHARE = 0.01  # published twice: the inbox must drop the second


@dataclass(frozen=True, slots=True)
class Message:
    """One record as it goes to Kafka."""

    key: bytes
    headers: list[tuple[str, bytes]]
    value: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """What one arm gets in one round, and how many outputs it must make of it."""

    messages: list[Message]
    outputs: int


def load(number: int, seed: int) -> Load:
    """Make `number` records; the same seed gives the same people and the same mixture, but new ids."""
    dice = random.Random(seed)  # noqa: S311 - a repeatable load, not a secret
    progressed, completed = example("training.progressed"), example("training.completed")
    ids = event_ids()
    messages: list[Message] = []
    outputs = 0
    for place in range(number):
        if messages and dice.random() < REPEATED_SHARE:
            messages.append(messages[max(0, place - dice.randint(1, 400))])
            continue
        done = dice.random() < COMPLETED_SHARE
        outputs += done
        messages.append(message(completed if done else progressed, next(ids), dice, place))
    return Load(messages, outputs)


def message(example_of_type: dict[str, Any], event_id: str, dice: random.Random, sequence: int) -> Message:
    """Give an example another person, assignment, id and content."""
    learner, course = dice.randrange(LEARNERS), dice.randrange(COURSES)
    person, assignment = f"e-{learner:05d}", f"a-2026-{learner:05d}-{course}"
    data = example_of_type["data"] | {"person_id": person, "assignment_id": assignment, "sequence": sequence}
    if "progress_percent" in data:
        data["progress_percent"] = dice.randrange(1000) / 10
    headers = example_of_type["headers"] | {"ce_id": event_id, "ce_subject": assignment}
    return Message(
        f"{data['tenant_id']}/{person}".encode(),
        [(name, value.encode()) for name, value in headers.items()],
        json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode(),
    )


def example(name: str) -> dict[str, Any]:
    """Read one published example."""
    return dict(json.loads((EXAMPLES / f"duly.{name}.v1.json").read_text(encoding="utf-8")))


def event_ids() -> Iterator[str]:
    """Give UUIDs of version 7, one after the other, as sources that follow the contract do."""
    began_ms = time.time_ns() // 1_000_000
    number = 0
    while True:
        count = (number & 0xFFF) << 64
        yield str(UUID(int=(began_ms + (number >> 12) << 80) | 0x7 << 76 | count | 0x2 << 62 | number))
        number += 1
