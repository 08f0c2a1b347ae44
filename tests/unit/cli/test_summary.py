"""What a rehearsal's summary says and prints."""

import json
from pathlib import Path
from typing import Any

import pytest

from duly_cli.rehearsal.summary import Summary, _by
from duly_cli.replaying import _print


def summary(**changes: Any) -> Summary:
    known: dict[str, Any] = {
        "assignments": 4,
        "reminders": {"3": 1, "30": 2, "14": 5},
        "decisions": {"moment_reached": 9, "completed": 3},
        "suppressed": {"training_completed": 1},
        "parked": [{"to": "a@x.example", "assignment": "a-1", "step": "3", "why": "cut"}],
        "events": 50,
        "seconds": 4.0004,
        "mails": Path("/somewhere/mails"),
        "held": [
            {"brake": "provider:oulad:slack", "tenant": "oulad", "times": 2, "messages": 62},
            {"brake": "send-rate:oulad", "tenant": "oulad", "times": 1, "messages": 20},
        ],
    }
    return Summary(**known | changes)


def test_summary_counts_mails_and_rates() -> None:
    found = summary().as_json()

    assert (found["sent"], found["seconds"]) == (8, 4.0)
    assert (found["events_per_second"], found["mails_per_second"]) == (12.5, 2.0)


def test_summary_has_no_rates_when_it_took_no_time() -> None:
    found = summary(seconds=0.0).as_json()

    assert (found["events_per_second"], found["mails_per_second"]) == (0.0, 0.0)


def test_summary_in_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _print(summary(), as_json=True, kept=True)
    (line,) = capsys.readouterr().out.splitlines()

    assert {"assignments", "reminders", "decisions", "parked", "seconds", "events_per_second"} <= set(json.loads(line))
    assert json.loads(line)["would_have_held"][1] == {
        "brake": "send-rate:oulad",
        "tenant": "oulad",
        "times": 1,
        "messages": 20,
    }
    assert json.loads(line)["parked"] == [{"to": "a@x.example", "assignment": "a-1", "step": "3", "why": "cut"}]


def test_summary_in_words_tells_each_step_and_each_reason(capsys: pytest.CaptureFixture[str]) -> None:
    _print(summary(), as_json=False, kept=True)

    assert capsys.readouterr().out.splitlines() == [
        "8 mails sent",
        "        2 30 days ahead",
        "        5 14 days ahead",
        "        1 3 days ahead",
        "4 withheld",
        "        3 completed",
        "        1 training_completed",
        "82 would have been held by a brake",
        "       62 provider:oulad:slack, tripped 2 times",
        "       20 send-rate:oulad, tripped once",
        "1 parked for a person",
        "4 assignments, 4.0 s, 12.5 events/s",
        "The mails are in /somewhere/mails",
    ]


@pytest.mark.parametrize(
    ("mails", "ending"),
    [(Path("mails"), "The mails are gone; give --state to keep them."), (None, "4 assignments, 4.0 s, 12.5 events/s")],
)
def test_summary_names_no_place_where_no_mails_stay(
    capsys: pytest.CaptureFixture[str], mails: Path | None, ending: str
) -> None:
    _print(summary(mails=mails), as_json=False, kept=False)

    assert capsys.readouterr().out.splitlines()[-1] == ending


def test_reason_that_stands_twice_is_counted_once_with_both_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """A step withheld by reminders and a message withheld by messenger may share their reason."""
    _print(summary(decisions={"person_departed": 2}, suppressed={"person_departed": 3}), as_json=False, kept=True)
    said = capsys.readouterr().out

    assert "5 withheld\n        5 person_departed\n" in said


def test_messages_are_counted_by_state_and_by_another_column() -> None:
    rows = [
        {"state": "sent", "step": "3", "reason": "accepted", "number": 2},
        {"state": "sent", "step": "3", "reason": "settled_as_sent_by_person", "number": 1},
        {"state": "suppressed", "step": "3", "reason": "expired", "number": 4},
    ]

    assert _by(rows, "step", "sent") == {"3": 3}
    assert _by(rows, "reason", "suppressed") == {"expired": 4}
