"""`duly roster`: what is sent, what is shown, and the exit code that a script goes by."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from duly_cli import asking, roster_file
from duly_cli.main import app
from duly_local.places import ADDRESSES

ROSTER = "http://127.0.0.1:1003"
GOOD = b"person_id\ne-1\n"
FAULT = {"line": 3, "column": "mail", "code": "mail", "text": "is not one plain mail address"}
BRAKE = {"code": "departures", "text": "9 people would leave"}
APPLIED: dict[str, Any] = {
    "run": 4,
    "state": "applied",
    "dry_run": False,
    "rows": 40,
    "good_rows": 40,
    "refused": 0,
    "unchanged": 10,
    "counts": {"joins": 30},
    "brakes": [],
    "refusals": [],
    "findings": [],
    "found": 0,
    "changes": [{"person_id": f"e-{number}", "kind": "joins", "fields": []} for number in range(30)],
}


class Service:
    """Notes what is asked, and answers like roster would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.answer = APPLIED

    async def send(
        self, address: str, path: str, query: Mapping[str, str], content: bytes, token: str | None, deadline_s: float
    ) -> Any:
        assert (address, deadline_s > 60) == (ROSTER, True)
        self.asked.append((path, {**query, "token": token or ""}, content))
        return self.answer

    async def post(self, address: str, path: str, order: Mapping[str, str], token: str | None = None) -> Any:
        self.asked.append((address + path, {**order, "token": token or ""}, b""))
        return {"run": 4, "state": "released", "changed": 7}


@pytest.fixture(name="service")
def service_fixture(monkeypatch: pytest.MonkeyPatch) -> Service:
    service = Service()
    monkeypatch.setattr(asking, "send", service.send)
    monkeypatch.setattr(asking, "post", service.post)
    monkeypatch.setattr(roster_file, "BETWEEN_LOOKS_S", 0)
    for name in ("DULY_ROSTER_ADDRESS", "DULY_HTTP_TOKEN", "DULY_TENANT"):
        monkeypatch.delenv(name, raising=False)
    return service


@pytest.fixture(name="state")
def state_fixture(tmp_path: Path) -> Path:
    (tmp_path / ADDRESSES).write_text(json.dumps({"roster": ROSTER}), encoding="utf-8")
    (tmp_path / "people.csv").write_bytes(GOOD)
    return tmp_path


def duly(state: Path, *words: object) -> Result:
    return CliRunner().invoke(app, ["roster", *map(str, words), "--tenant", "acme", "--state", str(state)])


def test_import_sends_the_bytes_of_the_file_with_its_base_name(service: Service, state: Path) -> None:
    """S-27: base name only."""
    done = duly(state, "import", state / "people.csv", "--complete", "--by", "ada", "--delimiter", "comma")

    assert done.exit_code == 0
    (asked,) = service.asked
    query = {"tenant": "acme", "name": "people.csv", "by": "ada", "complete": "1", "delimiter": "comma", "token": ""}
    assert asked == ("/v1/roster/import", query, GOOD)
    assert done.stdout.splitlines()[:3] == [
        "Run 4: applied",
        "  40 rows: 40 good, 0 refused",
        "  people: 30 join, 10 unchanged",
    ]
    assert done.stdout.splitlines()[-1] == "  ... and 10 more join: --json has them"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"refusals": [FAULT], "refused": 1}, 1),
        ({"state": "refused", "refusals": [FAULT]}, 1),
        ({"state": "held", "brakes": [BRAKE]}, 3),
        ({"state": "held", "brakes": [BRAKE], "refusals": [FAULT], "refused": 1}, 3),
        ({"state": "held", "dry_run": True, "run": None, "brakes": [BRAKE]}, 3),
        ({"state": "dry_run", "dry_run": True, "run": None}, 0),
    ],
)
def test_exit_code_says_what_became_of_the_file(
    service: Service, state: Path, changes: dict[str, Any], code: int
) -> None:
    service.answer = APPLIED | changes
    shown = duly(state, "import", state / "people.csv")
    as_json = duly(state, "import", state / "people.csv", "--json")

    assert (shown.exit_code, as_json.exit_code) == (code, code)
    assert json.loads(as_json.stdout) == service.answer


def test_refused_row_is_told_by_file_line_and_column(service: Service, state: Path) -> None:
    service.answer = APPLIED | {"refusals": [FAULT], "refused": 1}
    shown = duly(state, "import", state / "people.csv")

    assert f"{state / 'people.csv'}:3:mail: is not one plain mail address (mail)" in shown.stdout.splitlines()


@pytest.mark.parametrize("words", [["nothing.csv"], [".", "--delimiter", "pipe"], ["x", "--encoding", "latin-1"]])
def test_wrong_words_end_with_2_and_send_nothing(service: Service, state: Path, words: list[str]) -> None:
    ended = duly(state, "import", *words)

    assert (ended.exit_code, service.asked, "Traceback" in ended.stderr) == (2, [], False)


def test_file_that_is_still_being_written_is_not_sent(
    service: Service, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-27: what changes between two looks is not whole."""
    file = state / "people.csv"

    def meanwhile(_seconds: float) -> None:
        with file.open("ab") as growing:
            growing.write(b"e-2\n")

    monkeypatch.setattr("time.sleep", meanwhile)
    ended = duly(state, "import", file)

    assert (ended.exit_code, service.asked) == (1, [])
    assert "rename it when it is whole" in ended.stderr


def test_file_that_is_replaced_while_it_is_read_is_not_sent(
    service: Service, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = state / "people.csv", state / "other.csv"

    def meanwhile(_seconds: float) -> None:
        other.write_bytes(GOOD)
        other.replace(file)

    monkeypatch.setattr("time.sleep", meanwhile)

    assert (duly(state, "import", file).exit_code, service.asked) == (1, [])


def test_decision_carries_name_and_reason(service: Service, state: Path) -> None:
    done = duly(state, "release", "4", "--by", "Ada", "--reason", "the site closes")
    nameless = duly(state, "discard", "4", "--reason", "x")

    assert (done.exit_code, done.stdout) == (0, "Run 4 is now released; 7 people changed\n")
    order = {"tenant": "acme", "run": "4", "by": "Ada", "reason": "the site closes", "token": ""}
    assert service.asked == [(f"{ROSTER}/v1/roster/release", order, b"")]
    assert nameless.exit_code == 2


def test_roster_that_does_not_run_is_said_plainly(service: Service, state: Path) -> None:
    (state / ADDRESSES).write_text(json.dumps({"messenger": ROSTER}), encoding="utf-8")
    ended = duly(state, "import", state / "people.csv")

    assert (ended.exit_code, service.asked) == (2, [])
    assert "start `duly up`" in ended.stderr
