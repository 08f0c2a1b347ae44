"""Existing servers: `duly migrate`, each service in a process of its own, and a `duly up` that starts no server."""

import asyncio
import json
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from duly_local import waiting
from duly_local.stack import Endpoints, Stack
from tests.journeys.command import Running, duly, started
from tests.journeys.facts import TENANT, one_who_hears, publish
from tests.journeys.mails import mails

pytestmark = [pytest.mark.connected, pytest.mark.timeout(120)]

CANARY = "canary-4711"
TOLD_WITHIN_S = 30.0


@pytest.fixture(scope="module", name="servers")
def servers_fixture(place: Path) -> Iterator[Endpoints]:
    """Run the servers that somebody else looks after."""
    with Stack(place / "servers") as endpoints:
        yield endpoints


@pytest.fixture(scope="module", name="settings")
def settings_fixture(servers: Endpoints) -> dict[str, str]:
    """Point Duly at them, with a password that nobody may ever see, and migrate."""
    settings = {
        "DULY_DATABASE_URL": servers.database_url.replace("@", f":{CANARY}@"),
        "DULY_KAFKA_BOOTSTRAP": servers.kafka_bootstrap,
        "DULY_SMTP_URL": servers.smtp_url,
    }
    first = duly("migrate", **settings)
    assert first.returncode == 0, first.stderr
    assert {"schema reminders", "schema messenger", "schema roster", "schema intake", "topic duly.training"} <= set(
        first.stdout.splitlines()
    )
    assert CANARY not in first.stdout + first.stderr
    return settings


def test_migrate_changes_nothing_when_it_runs_again(settings: dict[str, str]) -> None:
    again = duly("migrate", **settings)

    assert (again.returncode, again.stdout) == (0, "schema intake\nschema messenger\nschema reminders\nschema roster\n")


def test_doctor_finds_nothing_wrong_with_servers_that_were_migrated(settings: dict[str, str]) -> None:
    told = duly("doctor", **settings)
    alone = duly("doctor", "--service", "messenger", "--json", **settings)
    found = {one["name"]: one["state"] for one in json.loads(alone.stdout)["findings"]}

    assert (told.returncode, alone.returncode) == (0, 0), told.stdout + told.stderr
    assert {name for name, state in found.items() if state == "not set up"} == {"bounces", "Slack", "Teams", "Twilio"}
    assert {"settings", "database", "schema", "broker", "topics", "mail relay", "mail sender"} <= {
        name for name, state in found.items() if state == "ok"
    }
    assert " ok, " in told.stdout.splitlines()[-1]
    assert CANARY not in told.stdout + told.stderr + alone.stdout


def test_services_in_processes_of_their_own_send_one_mail_and_end_on_sigterm(
    place: Path, servers: Endpoints, settings: dict[str, str]
) -> None:
    with running(place, settings) as services:
        asyncio.run(publish(servers.kafka_bootstrap, *one_who_hears("ada", "fire-ada")))
        assert waiting.until(lambda: about(servers) == ["fire-ada"], within_s=TOLD_WITHIN_S), said(services)
        where = {f"DULY_{name.upper()}_ADDRESS": address_of(name, one) for name, one in services.items()}
        story = duly("explain", "ada", "fire-ada", "--tenant", TENANT, "--state", place / "none", "--json", **where)
        ends = [service.stop(signal.SIGTERM) for service in services.values()]

    assert story.returncode == 0, story.stderr
    assert [message["state"] for message in json.loads(story.stdout)["messenger"]["messages"]] == ["sent"]
    assert ends == [0, 0]
    assert about(servers) == ["fire-ada"]
    assert CANARY not in said(services)


def test_up_starts_no_server_of_its_own_when_all_three_exist(
    place: Path, servers: Endpoints, settings: dict[str, str]
) -> None:
    state = place / "up"
    with started(state, "up", "--state", state, **settings) as up:
        up.ready()
        found = psutil.Process(up.process.pid).children(recursive=True)
        children = [one.cmdline() for one in found if one.is_running()]
        asyncio.run(publish(servers.kafka_bootstrap, *one_who_hears("eve", "fire-eve")))
        assert waiting.until(lambda: "fire-eve" in about(servers), within_s=TOLD_WITHIN_S), up.err
        ended = up.stop()

    assert [words for words in children if words[1:] != ["-m", "messenger.templating.render_child"]] == []
    assert not {"kafka", "postgres", "mails"} & {path.name for path in state.iterdir()}
    assert f"Kafka        {servers.kafka_bootstrap}\n" in up.out
    assert "mails        go to DULY_SMTP_URL\n" in up.out
    assert ended == 0
    assert about(servers).count("fire-eve") == 1
    assert CANARY not in up.out + up.err


@contextmanager
def running(place: Path, settings: dict[str, str]) -> Iterator[dict[str, Running]]:
    """Run each service alone until the block ends."""
    with ExitStack() as stack:
        names = ("reminders", "messenger")
        services = {name: stack.enter_context(started(place / name, "run", name, **settings)) for name in names}
        for service in services.values():
            service.ready()
        yield services


def address_of(name: str, service: Running) -> str:
    found = re.search(rf"^{name} +(http://127\.0\.0\.1:\d+)/health/ready$", service.out, re.MULTILINE)
    assert found is not None
    return found[1]


def about(servers: Endpoints) -> list[str]:
    assert servers.mails is not None
    return [mail["Duly-About"] for mail in mails(servers.mails)]


def said(services: dict[str, Running]) -> str:
    return "".join(service.out + service.err for service in services.values())
