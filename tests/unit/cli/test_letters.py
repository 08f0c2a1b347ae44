"""`duly dead-letters`: which service is asked what, what is shown, and how the command ends."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from duly_cli import asking
from duly_cli.main import app
from duly_local.places import ADDRESSES

MESSENGER, REMINDERS = "http://127.0.0.1:1001", "http://127.0.0.1:1002"
GROUP = {
    "group": "g0123456789a",
    "reason": "version",
    "fingerprint": "decode duly.training.assigned.v2",
    "topics": ["duly.training"],
    "open": 3,
    "replayed": 1,
    "discarded": 0,
    "first_seen": "2026-03-18T09:00:00Z",
    "last_seen": "2026-03-18T10:00:00Z",
    "tries": 2,
}
LETTER = {
    "id": 7,
    "group": "g0123456789a",
    "tenant": None,
    "topic": "duly.training",
    "partition": 1,
    "offset": 41,
    "epoch": 0,
    "reason": "version",
    "fingerprint": "decode duly.training.assigned.v2",
    "received_at": "2026-03-18T09:00:00Z",
    "state": "discarded",
    "replay_count": 0,
    "settled_at": "2026-03-19T09:00:00Z",
    "settled_by": "ada",
    "settled_reason": "not ours",
    "key_bytes": 7,
    "value_bytes": 120,
    "headers": {"ce_id": "e-1"},
    "other_headers": 2,
    "shape": {"tenant_id": "acme"},
}
NOTHING = {"applied": 0, "repeated": 0, "skipped": 0, "failed": 0, "failures": {}, "next": None}


class Services:
    """Notes what is asked, and answers like services would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, Any]]] = []
        self.portions: list[dict[str, Any]] = []

    async def get(self, address: str, path: str, query: Mapping[str, str], _token: str | None = None) -> Any:
        self.asked.append((address, path, dict(query)))
        if {"group", "id"} & query.keys():
            return {"known": 4, "open": 3, "letters": [LETTER]}
        return {"groups": [GROUP] if address == REMINDERS else []}

    async def post(self, address: str, path: str, order: Mapping[str, Any], _token: str | None = None) -> Any:
        self.asked.append((address, path, dict(order)))
        if path.endswith("discard"):
            return {"discarded": 3}
        return NOTHING | (self.portions.pop(0) if self.portions else {})


@pytest.fixture(name="services")
def services_fixture(monkeypatch: pytest.MonkeyPatch) -> Services:
    services = Services()
    monkeypatch.setattr(asking, "get", services.get)
    monkeypatch.setattr(asking, "post", services.post)
    for name in ("DULY_REMINDERS_ADDRESS", "DULY_MESSENGER_ADDRESS", "DULY_HTTP_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return services


@pytest.fixture(name="state")
def state_fixture(tmp_path: Path) -> Path:
    """Note where both services answer, as a running `duly up` does."""
    (tmp_path / ADDRESSES).write_text(json.dumps({"messenger": MESSENGER, "reminders": REMINDERS}), encoding="utf-8")
    return tmp_path


def duly(state: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["dead-letters", *words, "--state", str(state)])


def test_list_asks_every_service_and_shows_each_group_and_what_is_open(services: Services, state: Path) -> None:
    shown = duly(state, "list")

    assert shown.stdout == (
        "reminders  g0123456789a  3 open  1 replayed  tried 2 times  2026-03-18T09:00:00Z to 2026-03-18T10:00:00Z"
        "  version: decode duly.training.assigned.v2\n3 open\n"
    )
    assert services.asked == [(MESSENGER, "/v1/dead-letters", {}), (REMINDERS, "/v1/dead-letters", {})]


def test_list_of_one_service_with_settled_ones_is_json(services: Services, state: Path) -> None:
    shown = duly(state, "list", "--service", "reminders", "--all", "--tenant", "acme", "--json")

    assert json.loads(shown.stdout) == {"reminders": [GROUP]}
    assert services.asked == [(REMINDERS, "/v1/dead-letters", {"settled": "true", "tenant": "acme"})]


@pytest.mark.parametrize(("word", "query"), [("7", {"id": "7"}), ("g0123456789a", {"group": "g0123456789a"})])
def test_show_tells_a_group_from_an_id(services: Services, state: Path, word: str, query: dict[str, str]) -> None:
    shown = duly(state, "show", "reminders", word)

    assert services.asked == [(REMINDERS, "/v1/dead-letters", query)]
    assert shown.stdout.splitlines()[0] == (
        "7  discarded by ada at 2026-03-19T09:00:00Z: not ours  duly.training[1] at 41  received 2026-03-18T09:00:00Z"
    )
    assert shown.stdout.splitlines()[-1] == "4 in all, 3 open, 1 shown"


def test_replay_goes_on_until_the_last_portion_and_adds_up(services: Services, state: Path) -> None:
    services.portions = [{"applied": 2, "next": 9}, {"applied": 1, "repeated": 1, "next": 12}]

    done = duly(state, "replay", "reminders", "--group", "g0123456789a", "--by", "ada")

    assert (done.exit_code, done.stdout) == (0, "3 applied, 1 repeated, 0 skipped, 0 failed\n")
    assert [order["after"] for _, _, order in services.asked] == [0, 9, 12]
    assert services.asked[0][2] == {"group": "g0123456789a", "by": "ada", "dry_run": False, "after": 0}


def test_replay_that_leaves_something_ends_with_one_and_says_why(services: Services, state: Path) -> None:
    services.portions = [{"failed": 2, "failures": {"handler: KeyError at a.b:1": 2}}]

    done = duly(state, "replay", "reminders", "--id", "7", "--by", "ada", "--dry-run")

    assert (done.exit_code, done.stdout) == (
        1,
        "  2 x handler: KeyError at a.b:1\nwould be 0 applied, 0 repeated, 0 skipped, 2 failed\n",
    )
    assert services.asked[0][2] == {"id": 7, "by": "ada", "dry_run": True, "after": 0}


def test_replay_against_a_brake_ends_with_three(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def held(*_: Any) -> None:
        raise asking.HeldByBrake("look with `duly brake list`")

    monkeypatch.setattr(asking, "post", held)

    done = duly(state, "replay", "reminders", "--id", "7", "--by", "ada")

    assert (done.exit_code, done.stderr) == (3, "look with `duly brake list`\n")


def test_discard_carries_name_and_reason(services: Services, state: Path) -> None:
    done = duly(state, "discard", "reminders", "--group", "g0123456789a", "--by", "ada", "--reason", "not ours")

    assert (done.exit_code, done.stdout) == (0, "3 discarded\n")
    order = {"group": "g0123456789a", "by": "ada", "reason": "not ours", "dry_run": False}
    assert services.asked == [(REMINDERS, "/v1/dead-letters/discard", order)]


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "reminders", "--group", "g0123456789a"),
        ("replay", "reminders", "--by", "ada"),
        ("replay", "reminders", "--group", "g0123456789a", "--id", "7", "--by", "ada"),
        ("replay", "reminders", "--id", "0", "--by", "ada"),
        ("replay", "nobody", "--id", "7", "--by", "ada"),
        ("discard", "reminders", "--id", "7", "--by", "ada"),
        ("discard", "reminders", "--id", "7", "--reason", "x"),
        ("list", "--service", "nobody"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_two_and_asks_nobody(services: Services, state: Path, words: tuple[str, ...]) -> None:
    assert duly(state, *words).exit_code == 2
    assert services.asked == []
