"""`duly demo` and `duly replay oulad` on the driven clock: what they print, and that nothing happens twice."""

import asyncio
import html
import json
import os
import pty
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date
from pathlib import Path
from typing import Any

import pytest

from duly_local import waiting
from tests.journeys.command import Running, ask, started
from tests.journeys.mails import Told, told
from tests.oracle.folder import SIZES, generate
from tests.oracle.oulad import truth
from tests.support import http

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
    assert first["would_have_held"] == []
    counts = ("assignments", "sent", "reminders", "decisions", "suppressed", "parked")
    assert [again[name] for name in counts] == [first[name] for name in counts]
    assert told(state / "mails") == sent


@pytest.fixture(name="terminal")
def terminal_fixture() -> Iterator[tuple[int, int]]:
    """Open a terminal: the end of the person, and the end of the command."""
    person, command = pty.openpty()
    yield person, command
    os.close(person)
    os.close(command)


def test_demo_in_a_terminal_stays_open_with_its_page_and_its_stories_until_enter(
    place: Path, terminal: tuple[int, int]
) -> None:
    person, stdin = terminal
    state = place / "demo"
    with started(state, "demo", "--state", state, stdin=stdin) as demo:
        assert waiting.until(lambda: "Enter ends it." in demo.out, within_s=ENDS_WITHIN_S), demo.out + demo.err
        page = demo.out.splitlines()[-2].rpartition(" ")[2]
        listed = searched(page, "step:30")
        story = asyncio.run(http.text(page, f"mails/{listed['items'][0]['number']}/story"))
        asked = ask(*explained(story), "--json")
        assert demo.process.poll() is None
        os.write(person, b"\n")
        code, left = demo.process.wait(timeout=ENDS_WITHIN_S), demo.left()

    assert re.search(r"^\d+ mails sent$", demo.out, re.MULTILINE)
    assert listed["found"] > 0
    assert "mail sent: accepted" in story
    assert asked.returncode == 0, asked.stderr
    assert (code, left) == (0, [])


def searched(page: str, words: str) -> dict[str, Any]:
    """Search until every mail was looked through."""
    found: dict[str, Any] = {}

    def through() -> bool:
        found.update(json.loads(asyncio.run(http.text(page, f"api/mails?search={words}"))))
        return not found["reading"]

    assert waiting.until(through, within_s=60)
    return found


def explained(story: str) -> list[str]:
    """Read the command that a story names as its own."""
    found = re.search(r"<code>duly (explain .*?)</code>", story)
    assert found is not None
    return shlex.split(html.unescape(found[1]))


def test_demo_without_a_terminal_names_its_page_and_ends_at_once(place: Path) -> None:
    state = place / "demo"
    with started(state, "demo", "--state", state) as demo:
        code = demo.process.wait(timeout=ENDS_WITHIN_S)
        left = demo.left()

    assert (code, left) == (0, []), demo.err
    assert re.fullmatch(
        r"Their page http://127\.0\.0\.1:\d+/ closes with this command; `duly demo --stay` keeps it open\.",
        demo.out.splitlines()[-1],
    )


def test_demo_that_was_told_to_stay_does_so_without_a_terminal_until_ctrl_c(place: Path) -> None:
    """Its line of JSON stays alone on stdout; the address is on stderr."""
    state = place / "demo"
    with started(state, "demo", "--state", state, "--stay", "--json") as demo:
        assert waiting.until(lambda: "Ctrl-C ends it." in demo.err, within_s=ENDS_WITHIN_S), demo.err
        code, left = demo.stop(), demo.left()

    assert (code, left) == (0, []), demo.err
    assert only_line(demo)["sent"] > 0


@dataclass(frozen=True)
class Played:
    """A replay that was told to end at a day: what it plays, where, what it said and sent."""

    words: tuple[str | Path, ...]
    folder: Path
    state: Path
    outcome: dict[str, Any]
    sent: list[Told]


@pytest.fixture(scope="module", name="played")
def played_fixture(place: Path) -> Played:
    """Play the learners' first months."""
    folder, state = generate(place / "data", learners=SIZES["tiny"], seed=5), place / "state"
    words = ("replay", "oulad", folder, "--state", state, "--json")
    outcome = finished(state, *words, "--until", UNTIL)
    return Played(words, folder, state, outcome, told(state / "mails"))


def test_replay_ends_at_the_day_it_was_given(played: Played) -> None:
    assert played.sent == expected(played.folder, date.fromisoformat(UNTIL))
    assert (played.outcome["sent"], played.outcome["parked"]) == (len(played.sent), [])


def test_replay_goes_on_after_its_day_and_after_ctrl_c_to_the_same_mails_as_one_run(played: Played) -> None:
    """Ctrl-C in the middle leaves no process behind, and no mail is lost or doubled."""
    with started(played.state, *played.words) as replay:
        assert waiting.until(lambda: len(told(played.state / "mails")) > len(played.sent), within_s=60), replay.err
        code = replay.stop()
        left, before = replay.left(), told(played.state / "mails")
    outcome = finished(played.state, *played.words)

    assert (code != 0, replay.out, left) == (True, "", [])
    assert "Traceback" not in replay.err
    assert len(before) < len(expected(played.folder))
    assert told(played.state / "mails") == expected(played.folder)
    assert (outcome["sent"], outcome["parked"]) == (len(expected(played.folder)), [])


def test_state_of_another_play_is_refused(place: Path, played: Played) -> None:
    other = generate(place / "other", learners=1, seed=8)

    with started(played.state, "replay", "oulad", other, "--state", played.state, "--json") as replay:
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
