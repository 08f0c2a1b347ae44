"""`duly bounces`: what is asked of messenger, what is shown, and which files are taken."""

import json
from base64 import b64decode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from duly_cli import asking
from duly_cli.main import app
from duly_local.places import ADDRESSES

MESSENGER = "http://127.0.0.1:1001"
LISTED = {
    "dead": [{"person_id": "ada", "code": "5.1.1", "since": "2026-03-02T09:00:00Z", "outreach_id": "o-1"}],
    "odd": [
        {"person_id": "bob", "code": "", "at": "2026-03-02T09:00:01Z", "outreach_id": "o-2", "known": True},
        {"person_id": None, "code": "5.1.1", "at": "2026-03-02T09:00:02Z", "outreach_id": "o-3", "known": False},
    ],
}


class Messenger:
    """Notes what is asked, and answers like messenger would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    async def get(self, address: str, path: str, query: Mapping[str, str], token: str | None = None) -> Any:
        assert token is None
        self.asked.append((address, path, dict(query)))
        return LISTED

    async def post(self, address: str, path: str, order: Mapping[str, str], token: str | None = None) -> Any:
        assert token is None
        self.asked.append((address, path, dict(order)))
        return {"kind": b64decode(order["mail"]).decode()} if "mail" in order else {"state": "alive"}


@pytest.fixture(name="messenger")
def messenger_fixture(monkeypatch: pytest.MonkeyPatch) -> Messenger:
    messenger = Messenger()
    monkeypatch.setattr(asking, "get", messenger.get)
    monkeypatch.setattr(asking, "post", messenger.post)
    for name in ("DULY_MESSENGER_ADDRESS", "DULY_HTTP_TOKEN", "DULY_TENANT"):
        monkeypatch.delenv(name, raising=False)
    return messenger


@pytest.fixture(name="state")
def state_fixture(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    state.mkdir()
    (state / ADDRESSES).write_text(json.dumps({"messenger": MESSENGER}), encoding="utf-8")
    return state


def duly(state: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["bounces", *words, "--state", str(state)])


def test_list_shows_people_and_codes_and_no_address(messenger: Messenger, state: Path) -> None:
    shown = duly(state, "list", "--tenant", "acme")

    assert shown.stdout.splitlines() == [
        "dead        ada  5.1.1  since 2026-03-02T09:00:00Z  told by o-1",
        "unreadable  bob  -  2026-03-02T09:00:01Z  o-2",
        "unknown     -  5.1.1  2026-03-02T09:00:02Z  o-3",
        "1 dead, 2 not understood",
    ]
    assert messenger.asked == [(MESSENGER, "/v1/bounces", {"tenant": "acme"})]


def test_list_in_json_is_the_answer_itself(messenger: Messenger, state: Path) -> None:
    assert json.loads(duly(state, "list", "--tenant", "acme", "--json").stdout) == LISTED
    assert len(messenger.asked) == 1


def test_take_gives_every_mail_of_a_folder_and_counts_the_answers(
    messenger: Messenger, state: Path, tmp_path: Path
) -> None:
    """A Maildir, too; hidden files are somebody else's."""
    folder = tmp_path / "mails"
    for place, kind in (("a.eml", "failed"), ("new/1", "failed"), ("cur/2:2,S", "delayed"), (".index", "hidden")):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kind.encode())
    shown = duly(state, "take", str(folder))

    assert shown.stdout == "delayed      1\nfailed       2\n"
    assert {path for _, path, _ in messenger.asked} == {"/v1/bounces/take"}
    assert shown.exit_code == 0
    assert json.loads(duly(state, "take", str(folder), "--json").stdout) == {"delayed": 1, "failed": 2}


def test_take_leaves_out_what_is_too_large_and_says_so(messenger: Messenger, state: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.eml"
    large.write_bytes(b"x" * 1_000_001)
    shown = duly(state, "take", str(large))

    assert shown.exit_code == 1
    assert "1000000 bytes" in shown.stderr
    assert messenger.asked == []


def test_take_of_nothing_is_a_wrong_use(messenger: Messenger, state: Path, tmp_path: Path) -> None:
    assert duly(state, "take", str(tmp_path / "none")).exit_code == 2
    assert messenger.asked == []


def test_revive_names_who_decides(messenger: Messenger, state: Path) -> None:
    shown = duly(state, "revive", "ada", "--tenant", "acme", "--by", "grace")

    assert shown.stdout == "mail goes to ada again\n"
    order = {"tenant": "acme", "person": "ada", "by": "grace"}
    assert messenger.asked == [(MESSENGER, "/v1/bounces/revive", order)]
    assert duly(state, "revive", "ada", "--tenant", "acme").exit_code == 2
