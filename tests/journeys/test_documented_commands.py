"""Every `duly ...` that the documentation shows is run, against a running house, and ends as it should."""

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from uuid import uuid4

import pytest

from duly_local import waiting
from tests.architecture.markdown import documents
from tests.architecture.source import ROOT
from tests.architecture.test_docs import commands
from tests.journeys.command import Running, ask, started

pytestmark = [pytest.mark.connected, pytest.mark.timeout(300)]

RUN_ELSEWHERE = {
    "up": "test_up.py and test_quickstart.py",
    "run": "test_servers.py",
    "migrate": "test_servers.py and test_compose.py",
    "doctor": "test_servers.py",
    "demo": "test_rehearsals.py",
    "replay": "test_rehearsals.py and tests/oracle",
    "--install-completion": "writes into the reader's shell; test_help.py asks for what it would write",
}
"""What keeps running, or needs servers of its own, and where it is run."""

MEANT = {
    "PERSON": "e-2002",
    "P": "e-2002",
    "e-17": "e-2002",
    "ada": "e-2002",
    "ASSIGNMENT": "a-1",
    "T": "acme",
    "TRAINING": "fire-safety",
    "MESSAGE": "deadline-reminder",
    "OUTREACH_ID": str(uuid4()),
    "FILE": "docs/examples/roster.csv",
    "FILE.csv": "docs/examples/roster.csv",
}
"""What a reader would put in the place of a word."""

ENDS = {
    ("parked", "send"): (1, "not_parked"),
    ("parked", "settle"): (1, "not_parked"),
    ("brake", "release"): (1, "not_held"),
    ("bounces", "revive"): (1, "not_dead"),
    ("blocks", "lift"): (1, "not_blocked"),
    ("blocks", "confirm"): (1, "no_such_start"),
    ("blocks", "close"): (1, "no_such_review"),
    ("dead-letters", "replay"): (1, "version"),
}
"""How a command ends where this house has nothing for it: in plain words, with 1."""

FUTURE = ROOT / "docs" / "examples" / "from-the-future.jsonl"
WHOLE = "docs/examples/roster.csv"
HALVED = "docs/examples/roster-halved.csv"
SETTINGS = {"DULY_TENANT": "acme", "COLUMNS": "200"}


@dataclass(frozen=True)
class House:
    """A running house in which something has happened, seen from the folder in which a reader stands."""

    up: Running

    def ask(self, *words: str) -> tuple[int, str]:
        """Run a command as a reader would; return its exit code and all it says."""
        done = ask(*words, **SETTINGS)
        return done.returncode, done.stdout + done.stderr

    def held_run(self) -> str:
        """Have a run held, and return its number: half of the people, or all of them again after half has left."""
        assert 3 in [self.ask("roster", "import", file, "--complete")[0] for file in (HALVED, WHOLE)]
        runs = json.loads(self.ask("roster", "runs", "--json")[1])["runs"]
        return str(next(one["run"] for one in runs if one["state"] == "held"))

    def dead_letter(self) -> tuple[str, str]:
        """Publish what nobody can read, and return the group and the number under which reminders keeps it."""
        record = json.loads(FUTURE.read_text(encoding="utf-8"))
        record["headers"]["ce_id"] = str(uuid4())
        Path("future.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
        assert self.ask("facts", "publish", "future.jsonl", "--unchecked")[0] == 0
        asked = ("dead-letters", "list", "--service", "reminders")
        found: list[str] = []

        def there() -> bool:
            found[:] = re.findall(r"^reminders +(g\w+) ", self.ask(*asked)[1], re.MULTILINE)
            return found != []

        assert waiting.until(there, within_s=30)
        number = re.findall(r"^(\d+) +open", self.ask("dead-letters", "show", "reminders", found[0])[1], re.MULTILINE)
        return found[0], number[0]


@pytest.fixture(scope="module", name="house")
def house_fixture(place: Path) -> Iterator[House]:
    """Start a house as `duly up` does, with the quickstart's people and one assignment."""
    for name in ("docs", "policies"):
        (place / name).symlink_to(ROOT / name)
    shipped = files("messenger") / "templates" / "deadline-reminder" / "1"
    shutil.copytree(str(shipped), place / "acme-templates" / "acme" / "deadline-reminder" / "2")
    (place / "mails").mkdir()
    (place / "mails" / "back.eml").write_text("Subject: back\n\nnobody knows why\n", encoding="utf-8")
    state = place / ".duly" / "up"
    state.mkdir(parents=True)
    bounces = {"DULY_MESSENGER_BOUNCE_DOMAIN": "bounces.acme.example", "DULY_MESSENGER_BOUNCE_KEYS": "k" * 40}
    with pytest.MonkeyPatch.context() as patched, started(state, "up", "--state", state, **bounces) as up:
        up.ready()
        patched.chdir(place)
        house = House(up)
        assert house.ask("roster", "import", "docs/examples/roster.csv")[0] == 0
        assert house.ask("facts", "assign", "e-2002", "a-1", "fire-safety", "--due", "+10d")[0] == 0
        assert waiting.until(lambda: "Facts received" in house.ask("explain", "e-2002", "a-1")[1], within_s=30)
        yield house


def shown() -> dict[tuple[str, ...], tuple[str, bool]]:
    """Return every command once, with a place that shows it, and whether it stands there to be typed as it is."""
    found: dict[tuple[str, ...], tuple[str, bool]] = {}
    for doc in documents():
        typed = {line.number for line in doc.lines if line.is_code}
        for number, words in commands(doc):
            where, before = f"{doc.path.name}:{number}", found.get(tuple(words), ("", False))
            if words and doc.path.name != "CHANGELOG.md":
                found[tuple(words)] = (before[0] or where, before[1] or number in typed)
    return found


def meant(house: House, words: Sequence[str]) -> list[str]:
    """Put what this house knows in the place of a page's examples."""
    said = [MEANT.get(word, word) for word in (words[: words.index("||")] if "||" in words else words)]
    if said[:2] in (["roster", "show"], ["roster", "release"], ["roster", "discard"]) and len(said) > 2:
        said[2] = house.held_run()
    if said[0] == "dead-letters" and len(said) > 3:
        group, number = house.dead_letter()
        said = [group if re.fullmatch(r"g[0-9a-f]{11}", word) else number if word == "17" else word for word in said]
    return said


TYPED = [
    pytest.param(words, is_typed, id=f"{where} {' '.join(words)}")
    for words, (where, is_typed) in sorted(shown().items())
    if words[0] not in RUN_ELSEWHERE
]


@pytest.mark.parametrize(("words", "is_typed"), TYPED)
def test_command_that_is_shown_does_what_it_is_shown_for(house: House, words: tuple[str, ...], is_typed: bool) -> None:
    said = meant(house, words)
    code, told = house.ask(*said)

    if code == 2 and not is_typed:  # a verb that is only named in a sentence: its words are still to be added
        assert "Missing" in told or "Usage:" in told or "or --sample" in told, told
        return
    wanted, word = ENDS.get((said[0], said[1] if len(said) > 1 else ""), (0, ""))
    if said[:2] == ["brake", "release"] and "--all" in said:
        wanted, word = 0, ""  # the page has just held it
    if "||" in words:
        wanted = 3
    assert code == wanted, told
    assert word in told


def test_commands_that_are_run_elsewhere_are_shown_at_all() -> None:
    verbs = {words[0] for words in shown()}

    assert [verb for verb in RUN_ELSEWHERE if verb not in verbs] == []
    assert len(TYPED) > 40
