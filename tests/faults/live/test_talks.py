"""The judge of C1b's chats and texts sees every planted fault, and nothing in what is right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.live.talks import MOVING, Asked, Row, Talks, judge

AT = 1_000.0
NUMBERS = {name: f"+4474{place:08}" for place, name in enumerate("abcdef")}


def asked(name: str, message: str = "text-notice", stop: str = "", tenant: str = "texts") -> Asked:
    return Asked(tenant, name, name, message, NUMBERS[name], stop)


def text(name: str, at: float = AT, **more: Any) -> dict[str, Any]:
    return {"channel": "sms", "callback": f"https://x/v1/twilio/status/texts/{name}", "at": at, **more}


def chat(name: str, at: float = AT) -> dict[str, Any]:
    return {"channel": "slack", "metadata": {"event_payload": {"outreach_id": name}}, "at": at}


def clean() -> Talks:
    """Tell of a text, of one that was ended, one that moved, one to a blocked number, one held for a while."""
    return Talks(
        [
            asked("a"),
            asked("b", stop="b-ended"),
            asked("c", MOVING),
            asked("d"),
            asked("e", tenant="halts"),
            asked("f", stop="f-ended"),
        ],
        {
            "a": Row("sms", "sent", "accepted"),
            "b": Row("sms", "suppressed", "completed"),
            "c": Row("sms", "sent", "read_back"),
            "d": Row("sms", "due", "number_blocked", waits=True),
            "e": Row("sms", "sent", "accepted"),
            "f": Row("sms", "sent", "read_back"),
        },
        {"slack": [chat("c")], "sms": [text("a"), text("c"), text("e", AT + 50), text("f", AT + 20, begun=AT + 9)]},
        {"b-ended": AT, "f-ended": AT + 10},
        {NUMBERS["d"]: AT},
        [("halts", AT + 20, AT + 40)],
        frozenset({"SM1/delivered"}),
        frozenset({"SM1/delivered", "SM2/delivered"}),
        frozenset({"SM1/delivered"}),
    )


def also(*entries: dict[str, Any]) -> Callable[[Talks], Talks]:
    def plant(talks: Talks) -> Talks:
        by = entries[0]["channel"]
        return replace(talks, accepts={**talks.accepts, by: [*talks.accepts[by], *entries]})

    return plant


def row(name: str, there: Row | None) -> Callable[[Talks], Talks]:
    def plant(talks: Talks) -> Talks:
        rows = {known: one for known, one in talks.rows.items() if known != name}
        return replace(talks, rows=rows if there is None else {**rows, name: there})

    return plant


PLANTED: dict[str, Callable[[Talks], Talks]] = {
    "I2 doubled": also(text("a")),
    "I2 stray": also(text("x")),
    "I1 lost": row("a", None),
    "I1 lost by a word": row("a", Row("sms", "suppressed", "completed")),
    "I1 lost, called sent": row("b", Row("sms", "sent", "accepted")),
    "I1 unsettled": row("a", Row("sms", "in_doubt", "timeout", waits=True)),
    "I1 unsettled, and taken": also(text("b", AT - 1)),
    "parked without cause": row("a", Row("sms", "parked", "timeout")),
    "I3 after stop": also(text("b", AT + 1.5)),
    "I3 after STOP": also(text("d", AT + 1.5)),
    "I3 while held": lambda talks: replace(talks, holds=[("halts", AT + 45, AT + 60)]),
    "2xx and gone": lambda talks: replace(talks, kept=frozenset()),
    "2xx and untold": lambda talks: replace(talks, told=frozenset()),
}


def test_judge_finds_nothing_in_talks_that_went_right() -> None:
    assert judge(clean()) == []


@pytest.mark.parametrize("kind", PLANTED)
def test_judge_sees_a_planted_fault(kind: str) -> None:
    """RELIABILITY.md section 9 (c)."""
    assert kind.partition(",")[0].removesuffix(" by a word") in {one.kind for one in judge(PLANTED[kind](clean()))}
