"""`duly parked` and `duly brake`: which service is asked what, and what is shown of the answer."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from duly_cli import asking
from duly_cli.main import app
from duly_cli.states import ADDRESSES

MESSENGER, REMINDERS = "http://127.0.0.1:1001", "http://127.0.0.1:1002"
SAID = {"at": "2026-03-18T09:00:00Z", "state": "in_doubt", "reason": "history_incomplete", "code": "x"}
PARKED = {
    "outreach_id": "o-1",
    "person_id": "ada",
    "about": "fire-ada",
    "step": "3",
    "reason": "connection_cut",
    "channel": "slack",
    "address": "ada@people.example",
    "evidence": [SAID],
}
BRAKE = {"name": "short_log", "since": "2026-03-18T09:00:00Z", "reason": "the log is shorter"}


class Services:
    """Notes what is asked, and answers like services would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], str | None]] = []
        self.brakes: dict[str, list[dict[str, Any]]] = {MESSENGER: [], REMINDERS: [BRAKE]}

    async def get(self, address: str, path: str, query: Mapping[str, str], token: str | None = None) -> Any:
        self.asked.append((address, path, dict(query), token))
        return {"parked": [PARKED]} if path == "/v1/parked" else self.brakes[address]

    async def post(self, address: str, path: str, order: Mapping[str, str], token: str | None = None) -> Any:
        self.asked.append((address, path, dict(order), token))
        if path == "/v1/brakes/hold":
            return {"held": f"kill-switch:{order['tenant']}" if "tenant" in order else "kill-switch", "new": True}
        return {"outreach_id": order.get("outreach_id"), "state": "due"}


@pytest.fixture(name="services")
def services_fixture(monkeypatch: pytest.MonkeyPatch) -> Services:
    services = Services()
    monkeypatch.setattr(asking, "get", services.get)
    monkeypatch.setattr(asking, "post", services.post)
    for name in ("DULY_REMINDERS_ADDRESS", "DULY_MESSENGER_ADDRESS", "DULY_HTTP_TOKEN", "DULY_TENANT"):
        monkeypatch.delenv(name, raising=False)
    return services


@pytest.fixture(name="state")
def state_fixture(tmp_path: Path) -> Path:
    """Note where both services answer, as a running `duly up` does."""
    (tmp_path / ADDRESSES).write_text(json.dumps({"messenger": MESSENGER, "reminders": REMINDERS}), encoding="utf-8")
    return tmp_path


def duly(state: Path, *words: str, **settings: str) -> Result:
    return CliRunner(env=settings).invoke(app, [*words, "--state", str(state)])


def test_parked_list_shows_each_message_with_its_evidence_and_their_number(services: Services, state: Path) -> None:
    shown = duly(state, "parked", "list", "--tenant", "acme")

    assert shown.stdout == (
        "o-1  ada  fire-ada  step 3  slack ada@people.example  connection_cut\n"
        "    2026-03-18T09:00:00Z  in_doubt  history_incomplete x\n1 parked\n"
    )
    assert services.asked == [(MESSENGER, "/v1/parked", {"tenant": "acme"}, None)]


def test_parked_list_in_json_is_the_answer_itself(services: Services, state: Path) -> None:
    shown = duly(state, "parked", "list", "--tenant", "acme", "--json")

    assert json.loads(shown.stdout) == {"parked": [PARKED]}
    assert len(services.asked) == 1


def test_parked_send_names_who_decides(services: Services, state: Path) -> None:
    shown = duly(state, "parked", "send", "o-1", "--tenant", "acme", "--by", "ops")

    assert shown.stdout == "o-1 is now due\n"
    order = {"tenant": "acme", "outreach_id": "o-1", "by": "ops"}
    assert services.asked == [(MESSENGER, "/v1/parked/send", order, None)]


def test_parked_settle_carries_the_verdict(services: Services, state: Path) -> None:
    duly(state, "parked", "settle", "o-1", "--tenant", "acme", "--by", "ops", "--as", "not_sent")

    order = {"tenant": "acme", "outreach_id": "o-1", "by": "ops", "as": "not_sent"}
    assert services.asked == [(MESSENGER, "/v1/parked/settle", order, None)]


@pytest.mark.parametrize("order", ["send", "settle"])
def test_parked_messages_are_decided_by_nobody_without_a_name(services: Services, state: Path, order: str) -> None:
    refused = duly(state, "parked", order, "o-1", "--tenant", "acme")

    assert refused.exit_code == 2
    assert services.asked == []


def test_brake_list_asks_every_service(services: Services, state: Path) -> None:
    shown = duly(state, "brake", "list")

    assert shown.stdout == "reminders  short_log  since 2026-03-18T09:00:00Z  the log is shorter\n1 held\n"
    assert {address for address, *_ in services.asked} == {MESSENGER, REMINDERS}


def test_brake_release_goes_to_the_service_that_holds(services: Services, state: Path) -> None:
    shown = duly(state, "brake", "release", "reminders", "short_log", "--by", "ops", "--reason", "rebuilt")

    assert shown.stdout == "reminders: short_log is released\n"
    order = {"name": "short_log", "by": "ops", "reason": "rebuilt"}
    assert services.asked == [(REMINDERS, "/v1/brakes/release", order, None)]


def test_brake_list_says_how_many_messages_are_held_and_what_is_only_reported(services: Services, state: Path) -> None:
    own: dict[str, Any] = {
        "name": "kill-switch",
        "since": "now",
        "reason": "audit",
        "by": "Ada",
        "held": 3,
        "holds": True,
    }
    rate = own | {"name": "send-rate:acme", "by": "rule", "holds": False}
    services.brakes = {MESSENGER: [own, rate], REMINDERS: []}
    shown = duly(state, "brake", "list")

    assert shown.stdout.splitlines() == [
        "messenger  kill-switch  since now  audit (3 messages, by Ada)",
        "messenger  send-rate:acme  since now  audit (3 messages, by rule, only reported)",
        "1 held",
    ]


@pytest.mark.parametrize(
    ("words", "scope", "name"),
    [(("--tenant", "acme"), {"tenant": "acme"}, "kill-switch:acme"), (("--all",), {"all": True}, "kill-switch")],
)
def test_brake_hold_and_release_name_whose_sends_are_meant(
    services: Services, state: Path, words: tuple[str, ...], scope: dict[str, Any], name: str
) -> None:
    who = ("--by", "Ada", "--reason", "wrong template")
    held = duly(state, "brake", "hold", "messenger", *words, *who)
    released = duly(state, "brake", "release", "messenger", *words, *who)

    assert (held.stdout, released.stdout) == (f"messenger: {name} holds\n", f"messenger: {name} is released\n")
    said = {"by": "Ada", "reason": "wrong template"}
    assert services.asked == [
        (MESSENGER, "/v1/brakes/hold", said | scope, None),
        (MESSENGER, "/v1/brakes/release", said | {"name": name}, None),
    ]


@pytest.mark.parametrize("words", [(), ("--tenant", "acme", "--all")])
def test_brake_holds_nothing_for_an_order_that_is_not_plain(
    services: Services, state: Path, words: tuple[str, ...]
) -> None:
    """A tenant of the environment is no order to stop its sends."""
    who = ("--by", "Ada", "--reason", "x")
    refused = duly(state, "brake", "hold", "messenger", *words, *who, DULY_TENANT="acme")

    assert (refused.exit_code, services.asked) == (2, [])


def test_brake_is_found_under_its_old_name(services: Services, state: Path) -> None:
    assert duly(state, "brakes", "list").stdout.endswith("1 held\n")
    assert services.asked


def test_address_in_the_environment_wins_over_the_noted_one(services: Services, state: Path) -> None:
    duly(state, "brake", "list", DULY_REMINDERS_ADDRESS="http://127.0.0.1:1001")

    assert [address for address, *_ in services.asked] == [MESSENGER, MESSENGER]


def test_token_and_tenant_come_from_the_environment(services: Services, state: Path) -> None:
    duly(state, "parked", "list", DULY_HTTP_TOKEN=MESSENGER, DULY_TENANT="acme")

    assert services.asked == [(MESSENGER, "/v1/parked", {"tenant": "acme"}, MESSENGER)]


def test_nothing_is_asked_when_nothing_runs(services: Services, tmp_path: Path) -> None:
    refused = duly(tmp_path, "parked", "list", "--tenant", "acme")

    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith(f"nothing runs on {tmp_path}: start `duly up`")
    assert services.asked == []


def test_service_that_is_not_there_is_named_with_those_that_are(services: Services, state: Path) -> None:
    (state / ADDRESSES).write_text(json.dumps({"reminders": REMINDERS}), encoding="utf-8")

    refused = duly(state, "parked", "list", "--tenant", "acme")

    assert (refused.exit_code, refused.stderr) == (2, "messenger does not run here; there are: reminders\n")
    assert services.asked == []
