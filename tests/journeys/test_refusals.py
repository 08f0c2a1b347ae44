"""What the command cannot do it says in plain words, with a stable exit code, no traceback and no value."""

import signal
from pathlib import Path

import pytest

from duly_chassis import entries
from duly_local import waiting
from tests.journeys.command import ask, duly, started
from tests.oracle.folder import generate

CANARY = "canary-4711"
NOWHERE = {
    "DULY_DATABASE_URL": f"postgresql://duly:{CANARY}@127.0.0.1:1/duly",
    "DULY_KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "DULY_SMTP_URL": f"smtp://duly:{CANARY}@127.0.0.1:1",
}
"""Servers that are not there."""


def test_unknown_service_is_answered_with_those_there_are() -> None:
    ended = ask("run", "nonsense")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"no service is called 'nonsense'; there are: {', '.join(entries.names())}\n"


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        ("reminders", ["DULY_DATABASE_URL", "DULY_KAFKA_BOOTSTRAP"]),
        ("messenger", ["DULY_DATABASE_URL", "DULY_KAFKA_BOOTSTRAP", "DULY_SMTP_URL"]),
    ],
)
def test_missing_settings_are_named_all_at_once(service: str, missing: list[str]) -> None:
    ended = ask("run", service)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert sorted(ended.stderr.splitlines()) == [f"{name}: Field required" for name in missing]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"DULY_KAFKA_BOOTSTRAP": None}, "DULY_KAFKA_BOOTSTRAP: Field required"),
        ({"DULY_LANES": CANARY}, "DULY_LANES: Input should be a valid integer"),
        ({"DULY_HTTP_HOST": "0.0.0.0"}, "http_host is not a loopback address: http_token must be set"),  # noqa: S104
        ({"DULY_DATABASE_URL": None, "DULY_DATABASE_URL_FILE": "/none"}, "DULY_DATABASE_URL_FILE: cannot read"),
    ],
)
def test_wrong_setting_is_named_and_its_value_is_not(changed: dict[str, str | None], named: str) -> None:
    settings = {name: value for name, value in (NOWHERE | changed).items() if value is not None}

    ended = ask("run", "messenger", **settings)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(named)
    assert_plain(ended.stderr)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"DULY_SMTP_URL": f"http://duly:{CANARY}@127.0.0.1"}, "messenger: the URL must begin with smtp://"),
        ({"DULY_MESSENGER_MAIL_SENDER": f"{CANARY}@"}, "messenger: not_one_plain_address"),
    ],
)
def test_setting_that_its_service_refuses_is_told_without_its_value(changed: dict[str, str], named: str) -> None:
    ended = duly("run", "messenger", **NOWHERE | changed)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(named)
    assert_plain(ended.stderr)


@pytest.mark.parametrize("url", [NOWHERE["DULY_DATABASE_URL"], f"{CANARY}:nonsense@"])
def test_migrate_says_that_the_database_cannot_be_reached(url: str) -> None:
    ended = duly("migrate", DULY_DATABASE_URL=url, DULY_KAFKA_BOOTSTRAP="127.0.0.1:1")

    assert ended.returncode == 1
    assert "the database of DULY_DATABASE_URL cannot be reached" in ended.stderr
    assert_plain(ended.stdout + ended.stderr)


def test_migrate_names_the_settings_it_needs() -> None:
    ended = duly("migrate")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("set DULY_DATABASE_URL")
    assert "DULY_KAFKA_BOOTSTRAP" in ended.stderr


@pytest.mark.connected  # no server is there, but the service would talk to one
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_service_that_waits_for_its_servers_can_be_stopped(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path / "state", "run", "reminders", **NOWHERE) as service:
        assert waiting.until(lambda: "start_waits" in service.err, within_s=30), service.err
        code = service.stop(number)

    assert code == 0
    assert service.out == "Stopped before it was ready.\n"
    assert_plain(service.out + service.err)


@pytest.fixture(name="typo")
def typo_fixture(place: Path) -> Path:
    """Misspell a key in the shipped policy."""
    path = place / "policy.yaml"
    shipped = Path("policies/reminders.yaml").read_text(encoding="utf-8")
    path.write_text(shipped.replace("offsets_days:", "ofsets_days:"), encoding="utf-8")
    return path


def test_typo_in_the_policy_file_is_told_with_its_line_when_a_service_runs_alone(typo: Path) -> None:
    ended = duly("run", "reminders", DULY_REMINDERS_POLICY_FILE=str(typo), **NOWHERE)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"{typo}:5: unknown key 'ofsets_days', did you mean 'offsets_days'?\n"


@pytest.mark.connected
def test_typo_in_the_policy_file_is_told_with_its_line_when_the_house_starts(place: Path, typo: Path) -> None:
    state = place / "state"
    with started(state, "up", "--state", state, DULY_REMINDERS_POLICY_FILE=str(typo)) as up:
        code = up.process.wait(timeout=40)
        left = up.left()

    assert code == 1
    assert f"{typo}:5: unknown key 'ofsets_days', did you mean 'offsets_days'?\n" in up.err
    assert "Running" not in up.out
    assert left == []
    assert_plain(up.out + up.err)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.org:25",
        "smtp://203.0.113.7:25",
        "smtp://127.0.0.1@203.0.113.7:25",
        "smtp://localhost.example.org",
        "smtp://[2001:db8::1]:25",
        "127.0.0.1:25",
    ],
)
def test_replay_refuses_a_server_that_is_not_this_machine_before_anything_starts(tmp_path: Path, url: str) -> None:
    folder, state = generate(tmp_path / "data", learners=1, seed=1), tmp_path / "state"

    ended = ask("replay", "oulad", folder, "--smtp", url, "--state", state, "--json")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "a replay talks to loopback addresses only: give --smtp smtp://127.0.0.1:PORT\n"
    assert not state.exists()


def assert_plain(text: str) -> None:
    """No traceback, and none of what was secret."""
    assert "Traceback" not in text
    assert CANARY not in text
