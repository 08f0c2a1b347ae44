"""`duly demo` and `duly replay oulad` on the driven clock: what they print, and that nothing happens twice."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from duly_local import waiting
from tests.journeys.command import Running, started
from tests.journeys.mails import Told, told
from tests.oracle.folder import SIZES, generate
from tests.oracle.oulad import truth

pytestmark = [pytest.mark.connected, pytest.mark.timeout(180)]

ENDS_WITHIN_S = 100.0
UNTIL = "2014-01-01"


def test_demo_prints_one_line_of_json_and_does_nothing_twice_on_the_same_state(place: Path) -> None:
    """X-02: whoever hears nothing is counted with the reason."""
    state = place / "demo"

    first = finished(state, "demo", "--state", state, "--json")
    sent = told(state / "mails")
    again = finished(state, "demo", "--state", state, "--json")

    assert first["sent"] == sum(first["reminders"].values()) == len(sent) > 0
    assert set(first["reminders"]) == {"30", "14", "3"}
    assert {"completed", "withdrawn", "person_departed", "person_on_leave"} < set(first["decisions"])
    assert first["decisions"]["moment_reached"] == len(sent)
    assert first["parked"] == []
    counts = ("assignments", "sent", "reminders", "decisions", "suppressed", "parked")
    assert [again[name] for name in counts] == [first[name] for name in counts]
    assert told(state / "mails") == sent


def test_replay_ends_at_the_day_it_was_given_and_goes_on_when_it_is_given_more(place: Path) -> None:
    """The state keeps what was sent; a longer replay adds the rest and repeats nothing."""
    folder, state = generate(place / "data", learners=SIZES["tiny"], seed=5), place / "until"

    ended = finished(state, "replay", "oulad", folder, "--until", UNTIL, "--state", state, "--json")
    sent = told(state / "mails")
    finished(state, "replay", "oulad", folder, "--state", state, "--json")

    assert sent == expected(folder, date.fromisoformat(UNTIL))
    assert (ended["sent"], ended["parked"]) == (len(sent), [])
    assert told(state / "mails") == expected(folder)


def test_replay_that_was_interrupted_goes_on_to_the_same_mails_as_one_run(place: Path) -> None:
    """Ctrl-C in the middle leaves no process behind and no mail lost or doubled."""
    folder, state = generate(place / "again", learners=SIZES["tiny"], seed=6), place / "interrupted"
    words = ("replay", "oulad", folder, "--state", state, "--json")

    with started(state, *words) as replay:
        assert waiting.until(lambda: len(told(state / "mails")) > 2, within_s=60), replay.err
        code = replay.stop()
        left, before = replay.left(), told(state / "mails")
    outcome = finished(state, *words)

    assert (code != 0, replay.out, left) == (True, "", [])
    assert "Traceback" not in replay.err
    assert 2 < len(before) < len(expected(folder))
    assert told(state / "mails") == expected(folder)
    assert (outcome["sent"], outcome["parked"]) == (len(expected(folder)), [])


def test_state_of_another_play_is_refused(place: Path) -> None:
    state = place / "another"
    one, other = (generate(place / f"folder{seed}", learners=1, seed=seed) for seed in (7, 8))
    finished(state, "replay", "oulad", one, "--until", "2013-09-01", "--state", state, "--json")

    with started(state, "replay", "oulad", other, "--state", state, "--json") as replay:
        code = replay.process.wait(timeout=ENDS_WITHIN_S)

    assert (code, replay.out) == (1, "")
    assert "this state belongs to another play" in replay.err
    assert "Traceback" not in replay.err


def finished(state: Path, *words: str | Path) -> dict[str, Any]:
    """Run a rehearsal to its end and return the one line it printed."""
    with started(state, *words) as rehearsal:
        code = rehearsal.process.wait(timeout=ENDS_WITHIN_S)
        left = rehearsal.left()
    assert code == 0, rehearsal.err
    assert left == []
    return only_line(rehearsal)


def only_line(rehearsal: Running) -> dict[str, Any]:
    (line,) = rehearsal.out.splitlines()
    return dict(json.loads(line))


def expected(folder: Path, until: date | None = None) -> list[Told]:
    """Compute what must have been sent, with code that shares nothing with Duly."""
    moments = truth(folder, until).reminders
    return sorted(Told(*key, at.astimezone(UTC).isoformat()) for key, at in moments.items())


def test_expectation_is_about_instants() -> None:
    assert Told("a", "b", "3", datetime(2014, 1, 1, tzinfo=UTC).isoformat()).date == "2014-01-01T00:00:00+00:00"
