"""`python -m duly_chassis.run`, what an image runs: how it starts, ends, and says why it cannot."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from duly_chassis import entries
from duly_local import waiting
from tests.journeys.command import environment
from tests.journeys.test_refusals import CANARY, NOWHERE, assert_plain
from tests.support.compose import ROOT

ENDS_WITHIN_S = 60.0
NAMES = ", ".join(entries.names())


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end."""
    return subprocess.run(
        [sys.executable, "-m", "duly_chassis.run", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(settings),
        timeout=ENDS_WITHIN_S,
    )


@pytest.mark.parametrize(
    ("service", "changed", "code", "said"),
    [
        ("nonsense", {}, 1, f"no service is called 'nonsense'; there are: {NAMES}"),
        ("", {}, 1, f"name one service; there are: {NAMES}"),
        ("reminders", {"DULY_KAFKA_BOOTSTRAP": ""}, 2, "DULY_KAFKA_BOOTSTRAP: not of the form host:port"),
        ("reminders", {"DULY_LANES": CANARY}, 2, "DULY_LANES: Input should be a valid integer"),
        ("reminders", {"DULY_HTTP_HOST": "203.0.113.7"}, 2, "http_host is not a loopback address: http_token must"),
        ("reminders", {"DULY_HTTP_TOKEN_FILE": "/none"}, 2, "DULY_HTTP_TOKEN_FILE: cannot read the file it names"),
        ("reminders", {"DULY_REMINDERS_POLICY_FILE": "/none.yaml"}, 1, "/none.yaml"),
        ("messenger", {"DULY_SMTP_URL": f"http://duly:{CANARY}@h"}, 1, "messenger: the URL must begin with smtp://"),
        ("messenger", {"DULY_MESSENGER_DEFAULT_ZONE": CANARY}, 2, "DULY_DEFAULT_ZONE: "),
        ("reminders", {"DULY_DATABASE_URL": f"{CANARY}:nonsense@"}, 2, "DULY_DATABASE_URL: not of the form"),
        ("reminders", {"DULY_DATABASE_URL": f"postgresql://u:{CANARY}@h:x/d"}, 2, "DULY_DATABASE_URL: not of the form"),
        ("reminders", {"DULY_KAFKA_BOOTSTRAP": f"{CANARY}:nonsense"}, 2, "DULY_KAFKA_BOOTSTRAP: not of the form"),
    ],
)
def test_what_keeps_a_service_from_starting_is_one_plain_sentence(
    service: str, changed: dict[str, str], code: int, said: str
) -> None:
    ended = run(*filter(None, [service]), **NOWHERE | changed)

    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.startswith(said)
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert_plain(ended.stderr)


def test_missing_settings_are_named_all_at_once() -> None:
    ended = run("messenger")

    wanted = ["DULY_DATABASE_URL", "DULY_KAFKA_BOOTSTRAP", "DULY_SMTP_URL"]
    assert (ended.returncode, ended.stdout) == (2, "")
    assert sorted(ended.stderr.splitlines()) == [f"{name}: Field required" for name in wanted]


@pytest.mark.connected  # no server is there, but the service would talk to one
def test_service_that_waits_for_its_servers_ends_at_once_on_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "duly_chassis.run", "reminders"],
            stdout=stream,
            stderr=stream,
            cwd=ROOT,
            env=environment(NOWHERE),
        )
    try:
        waits = waiting.until(lambda: b"start_waits" in log.read_bytes(), within_s=30)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=ENDS_WITHIN_S)
    finally:
        process.kill()

    assert (waits, code) == (True, 0)
    assert_plain(log.read_text(encoding="utf-8"))


def test_probe_says_that_nothing_lives_where_nothing_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else's
        asked = subprocess.run(
            [sys.executable, "-m", "duly_chassis.probe"],
            check=False,
            capture_output=True,
            env=environment({"DULY_HTTP_PORT": str(taken.getsockname()[1])}),
            timeout=ENDS_WITHIN_S,
        )

    assert (asked.returncode, asked.stdout, asked.stderr) == (1, b"", b"")
