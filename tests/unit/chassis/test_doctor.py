"""The port of `duly doctor`: deadlines, mishaps, what is asked once, how it is told; and what a topic must be."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from duly_chassis import doctor_broker, examine
from duly_chassis.clock import SystemClock
from duly_chassis.doctor import Check, Finding, State, apart_s, found, not_set_up, ok, present, problem, warning
from duly_chassis.doctor_broker import Made
from duly_chassis.examine import Told
from duly_contracts import topics
from tests.support import toy

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
DAY_MS = 86_400_000
AS_MADE = {"cleanup.policy": "delete", "retention.ms": str(35 * DAY_MS), "max.message.bytes": "1048576"}
COMPACTED = AS_MADE | {"cleanup.policy": "compact"}


def check(*findings: Finding, once: str | None = None, asked: list[str] | None = None) -> Check:
    async def ask() -> Sequence[Finding]:
        if asked is not None:
            asked.append("asked")
        return findings

    return Check("thing", ask, once=once)


async def test_check_that_hangs_is_a_problem_after_its_deadline() -> None:
    async def hang() -> Sequence[Finding]:
        await asyncio.Event().wait()
        return []

    (finding,) = await found(Check("broker", hang, deadline_s=0.01))

    assert (finding.name, finding.state, finding.wrong) == ("broker", State.PROBLEM, "no answer within 0.01 s")


async def test_check_that_fails_is_told_by_the_class_of_its_error_alone() -> None:
    async def fail() -> Sequence[Finding]:
        raise ValueError("canary-4711")

    (finding,) = await found(Check("broker", fail))

    assert (finding.state, finding.wrong) == (State.PROBLEM, "it could not be checked (ValueError)")


@pytest.mark.parametrize("value", [None, "", {}])
async def test_what_is_missing_is_not_set_up_and_no_problem(value: object) -> None:
    missing = present("secret", value, "callbacks are refused", "set it")

    assert await found(missing) == [not_set_up("secret", "callbacks are refused", "set it")]
    assert await found(present("secret", "there", "", "")) == [ok("secret")]


@pytest.mark.parametrize(
    ("theirs_s", "grain_s", "apart"),
    [(0, 0, 0), (0.5, 0, 0), (-0.5, 0, -0.5), (61, 0, 60), (-60, 1, -59), (-0.9, 1, 0), (3, 1, 2)],
)
def test_clocks_are_compared_without_the_time_that_asking_took(theirs_s: float, grain_s: float, apart: float) -> None:
    theirs = NOON + timedelta(seconds=theirs_s)

    assert apart_s(theirs, NOON, NOON + timedelta(seconds=1), grain_s) == pytest.approx(apart)


@pytest.fixture(name="served")
def served_fixture(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the toy be examined with checks of the test's own instead of the general ones."""
    of: dict[str, Any] = {}
    monkeypatch.setattr(examine, "settings_of", lambda _entry: (toy.ToySettings.sample(), []))
    monkeypatch.setattr(examine, "checks_of", lambda entry, _settings, _clock: of[entry])
    return of


async def examined(*services: Any) -> list[Told]:
    return await examine.examine(services, SystemClock(), lambda _answered, _of: None)


class Named:
    def __init__(self, name: str) -> None:
        self.name = name


async def test_what_services_share_is_asked_and_told_once(served: dict[Any, Any]) -> None:
    asked: list[str] = []
    one, other = Named("one"), Named("other")
    served[one] = [check(ok("broker"), once="b", asked=asked), check(ok("mine"))]
    served[other] = [check(ok("broker"), once="b", asked=asked)]
    told = await examined(one, other)

    assert asked == ["asked"]
    assert told == [Told(("one", "other"), ok("broker")), Told(("one",), ok("mine"))]


async def test_progress_is_heard_from_none_to_all(served: dict[Any, Any]) -> None:
    one, steps = Named("one"), []
    served[one] = [check(ok("a")), check(ok("b"))]
    await examine.examine([one], SystemClock(), lambda answered, of: steps.append((answered, of)))  # type: ignore[list-item]

    assert steps == [(0, 2), (1, 2), (2, 2)]


async def test_address_and_number_are_redacted_should_a_check_let_one_through(served: dict[Any, Any]) -> None:
    one = Named("one")
    served[one] = [check(problem("a", "ada@acme.example or +442071838750", "postgresql://u:canary@h"))]
    (told,) = await examined(one)

    assert told.finding.wrong == "[redacted] or [redacted]"
    assert "canary" not in told.finding.remedy


@pytest.mark.parametrize(
    ("findings", "code"),
    [([ok("a"), warning("b", "w", "r"), not_set_up("c", "w", "r")], 0), ([ok("a"), problem("b", "w", "r")], 1)],
)
def test_exit_code_is_1_for_problems_alone(findings: list[Finding], code: int) -> None:
    told = [Told(("one",), finding) for finding in findings]

    assert examine.worst(told) == code
    assert json.loads(examine.as_json(told))["fine"] is (code == 0)


def test_text_names_the_services_the_state_what_is_wrong_and_what_to_do() -> None:
    told = [Told(("a", "b"), ok("broker")), Told(("a",), problem("schema", "it is old", "migrate"))]

    assert list(examine.as_text(told)) == [
        "a, b",
        "  ok          broker",
        "a",
        "  problem     schema: it is old",
        "              -> migrate",
        "1 ok, 1 problem",
    ]


def test_json_has_every_finding_with_its_services_and_state() -> None:
    told = json.loads(examine.as_json([Told(("a",), warning("clock", "late", "mend it"))]))

    assert told["findings"] == [
        {"services": ["a"], "name": "clock", "state": "warning", "wrong": "late", "remedy": "mend it"}
    ]


def made(**other: Made) -> dict[str, Made]:
    """Return the topics as `duly migrate` makes them on one broker, except those that are given."""
    asis = {one.name: Made([1] * one.partitions, 0, COMPACTED if one.compacted else AS_MADE) for one in topics.ALL}
    return asis | {f"duly.{name}": one for name, one in other.items()}


def test_topics_as_migrate_makes_them_are_fine() -> None:
    assert doctor_broker.faults(made(), 1) == [ok("topics")]


@pytest.mark.parametrize(
    ("other", "brokers", "state", "wrong"),
    [
        ({"training": Made([1] * 3, 0, AS_MADE)}, 1, State.PROBLEM, "it has 3 partitions, and 6 are needed"),
        ({"training": Made([1] * 6, 2, AS_MADE)}, 1, State.PROBLEM, "2 of its partitions have no broker"),
        ({"people": Made([1] * 6, 0, AS_MADE)}, 1, State.PROBLEM, "cleanup.policy is delete, and compact is needed"),
        (
            {"training": Made([1] * 6, 0, AS_MADE | {"cleanup.policy": "compact,delete"})},
            1,
            State.PROBLEM,
            "cleanup.policy is compact,delete, and delete is needed",
        ),
        (
            {"training": Made([1] * 6, 0, AS_MADE | {"retention.ms": str(DAY_MS)})},
            1,
            State.WARNING,
            "keeps records for less than 35 days",
        ),
        (
            {"training": Made([1] * 6, 0, AS_MADE | {"max.message.bytes": "1000"})},
            1,
            State.PROBLEM,
            "refuses records of 1048576 bytes",
        ),
    ],
)
def test_topic_that_is_not_as_made_is_told(other: dict[str, Made], brokers: int, state: State, wrong: str) -> None:
    (finding,) = doctor_broker.faults(made(**other), brokers)

    assert (finding.state, finding.name) == (state, f"topic duly.{next(iter(other))}")
    assert wrong in finding.wrong
    assert finding.remedy


def test_topic_that_keeps_for_ever_is_fine() -> None:
    kept = Made([1] * 6, 0, AS_MADE | {"retention.ms": "-1"})

    assert doctor_broker.faults(made(training=kept), 1) == [ok("topics")]


def test_topics_with_fewer_copies_than_brokers_are_told_once_each() -> None:
    found = doctor_broker.faults(made(), 5)

    assert {one.state for one in found} == {State.WARNING}
    assert len(found) == len(topics.ALL)


async def test_broker_whose_own_address_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commonest mistake with Kafka: the first contact works, and everything after it does not."""

    async def brokers(_bootstrap: str) -> dict[int, bool]:
        return {1: True, 2: False}

    monkeypatch.setattr(doctor_broker, "_brokers", brokers)
    (finding,) = await found(doctor_broker.check("h:1"))

    assert "broker 2 itself gives cannot be reached" in finding.wrong
    assert "advertised.listeners" in finding.remedy
