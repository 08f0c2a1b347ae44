"""docker-compose.yml without an engine: every container as a process of this host, and one journey through them all.

Each runs from an environment that the Dockerfile's own step made of its member alone, so what it forgot to declare is
missing here as it would be in its image. The database wants passwords, as in the container.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
import pytest

from duly_chassis import entries
from duly_contracts import topics
from duly_contracts.envelope import seal
from duly_contracts.event import Event
from duly_local import ports, waiting
from duly_local.stack import Endpoints, Stack
from tests.journeys.facts import TENANT, one_who_hears
from tests.journeys.mails import mails
from tests.support import compose, databases, http, kafka
from tests.support.compose import ROOT, Compose
from tests.support.containers import Ground, Process, in_order
from tests.support.image import Built, build

pytestmark = [pytest.mark.connected, pytest.mark.timeout(300)]

SERVICES = entries.names()
TOLD_WITHIN_S = 60.0
ONLY_LOGINS = "host all all 127.0.0.1/32 scram-sha-256\n"


@pytest.fixture(scope="module", name="read")
def read_fixture(place: Path) -> Compose:
    """Read the file with free ports, as somebody would whose own are taken."""
    chosen = ports.settle(place / "ports.json", compose.port_variables())
    return compose.read({name: str(port) for name, port in chosen.items()})


@pytest.fixture(scope="module", name="images")
def images_fixture(place: Path, read: Compose) -> dict[str, Built]:
    """Build each package once."""
    packages = {str(one.package) for one in read.ours.values()}
    return {package: build(package, place / "images" / package) for package in sorted(packages)}


@pytest.fixture(scope="module", name="servers")
def servers_fixture(place: Path) -> Iterator[Endpoints]:
    """Run the two servers."""
    with Stack(place / "servers", inbox=False) as endpoints:
        yield endpoints


@pytest.fixture(scope="module", name="ground")
def ground_fixture(place: Path, read: Compose, images: dict[str, Built], servers: Endpoints) -> Ground:
    """Make secrets with the shipped script, and the database as its image makes it: one owner, and passwords."""
    folder = place / "mounted"
    (folder / "deploy" / "compose").mkdir(parents=True)
    script = folder / "deploy" / "compose" / "secrets.sh"
    script.write_bytes((ROOT / "deploy" / "compose" / "secrets.sh").read_bytes())
    for service in (ROOT / "services").iterdir():
        (folder / "services" / service.name).mkdir(parents=True)
    subprocess.run(["sh", str(script)], check=True, capture_output=True, timeout=20)
    known = {"kafka:9092": servers.kafka_bootstrap, "postgres:5432": server_of(servers)}
    ground = Ground(read, images, folder, known)
    (folder / "secrets").mkdir()
    for name, path in read.secret_files.items():
        text = (folder / path).read_text(encoding="utf-8")
        (folder / "secrets" / name).write_text(ground.here(read.containers["migrate"], text), encoding="utf-8")
    password = (folder / "secrets" / "postgres_password").read_text(encoding="utf-8").strip()
    databases.execute(servers.database_url, f"CREATE ROLE duly_owner SUPERUSER LOGIN PASSWORD '{password}'")
    databases.execute(servers.database_url, "CREATE DATABASE duly OWNER duly_owner")
    (place / "servers" / "postgres" / "data" / "pg_hba.conf").write_text(ONLY_LOGINS, encoding="utf-8")
    databases.execute(servers.database_url, "SELECT pg_reload_conf()")
    return ground


def line(fact: Event) -> str:
    """Write a fact as `duly facts publish` reads it."""
    record = seal(fact, str(uuid4()), "test/lms")
    return json.dumps({"type": fact.type, "data": json.loads(record.value)}) + "\n"


def server_of(servers: Endpoints) -> str:
    return servers.database_url.partition("@")[2].partition("/")[0]


@dataclass(frozen=True)
class House:
    """Everything that runs."""

    ground: Ground
    migrated: "subprocess.CompletedProcess[str]"
    processes: dict[str, Process]

    @property
    def said(self) -> str:
        return "\n".join(process.said for process in self.processes.values())

    def secret(self, name: str) -> str:
        return (self.ground.folder / "secrets" / name).read_text(encoding="utf-8").strip()

    def address(self, name: str) -> str:
        inner = self.ground.compose.containers[name].ports[0]  # intake has a public one behind it
        return f"http://127.0.0.1:{inner.outer}"


@pytest.fixture(scope="module", name="house")
def house_fixture(ground: Ground) -> Iterator[House]:
    """Start the containers in the order of the file: what they wait for first, and that healthy or ended well."""
    with ExitStack() as stack:
        migrated, processes = None, {}
        for container in in_order(ground.compose):
            for source in container.mounts.values():
                ground.mounted(source).mkdir(exist_ok=True)
            if container.name == "migrate":
                migrated = ground.run(container)
                assert migrated.returncode == 0, migrated.stdout + migrated.stderr
            elif "profiles" not in container.said:
                processes[container.name] = stack.enter_context(ground.started(container))
        assert migrated is not None
        yield House(ground, migrated, processes)


def test_person_hears_once_and_the_story_is_told_over_the_published_ports(house: House, place: Path) -> None:
    """G-09: told and asked with the container of the command, from a fact to a mail in the inbox and its story."""
    command, inbox = house.ground.compose.containers["duly"], house.ground.mounted("mails")
    file = place / "facts.jsonl"
    file.write_text("".join(map(line, one_who_hears("ada", "fire-ada"))), encoding="utf-8")
    telling = house.ground.run(command, "facts", "publish", str(file))
    told = waiting.until(lambda: mails(inbox) != [], within_s=TOLD_WITHIN_S)
    asked = house.ground.run(command, "explain", "ada", "fire-ada", "--tenant", TENANT, "--json")

    assert (telling.returncode, telling.stdout) == (0, "2 facts told\n"), telling.stderr
    assert told, house.said
    assert [(mail["Delivered-To"], mail["Duly-About"]) for mail in mails(inbox)] == [("ada@acme.example", "fire-ada")]
    assert (asked.returncode, asked.stderr) == (0, "")
    story = json.loads(asked.stdout)
    assert [one["requested"] for one in story["reminders"]["decisions"]] == [True]
    assert [message["state"] for message in story["messenger"]["messages"]] == ["sent"]


async def test_page_of_the_mails_tells_the_story_over_its_published_port(house: House) -> None:
    """It asks the services with the token, by the addresses that the file gives it."""
    address = f"http://127.0.0.1:{house.ground.compose.containers['inbox'].ports[-1].outer}"
    listed = json.loads(await http.text(address, "/api/mails?search=fire-ada"))
    story = await http.text(address, f"/mails/{listed['items'][0]['number']}/story")

    assert [item["about"] for item in listed["items"]] == ["fire-ada"]
    assert "requested: moment_reached" in story
    assert "mail sent: accepted" in story


def test_image_of_the_command_carries_no_servers_and_says_so(house: House, place: Path) -> None:
    """`duly up` is for a workstation: Java and PostgreSQL are an extra that no image has."""
    ended = house.ground.run(house.ground.compose.containers["duly"], "up", "--state", str(place / "up"))

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert ended.stderr.startswith("No servers can be started here: install duly-local[servers]")


async def test_answers_want_the_token_and_health_does_not(house: House) -> None:
    for name in SERVICES:
        refused = await http.get(house.address(name), "/v1/brakes")
        alive = await http.get(house.address(name), "/health/live")
        ready = await http.get(house.address(name), "/health/ready")

        assert refused == (401, {"error": "unauthorized"})
        assert (alive[0], ready[0]) == (200, 200)


async def test_migrate_made_every_topic_of_the_code_and_no_other(house: House, servers: Endpoints) -> None:
    made = await kafka.partitions(servers.kafka_bootstrap)

    assert {name: count for name, count in made.items() if not name.startswith("__")} == {
        topic.name: topic.partitions for topic in topics.ALL
    }
    assert {f"topic {topic.name}" for topic in topics.ALL} <= set(house.migrated.stdout.splitlines())


@pytest.mark.parametrize("name", SERVICES)
async def test_login_of_a_service_takes_its_own_roles_and_no_others(house: House, name: str) -> None:
    other = next(one for one in SERVICES if one != name)
    connection = await asyncpg.connect(house.secret(f"{name}_database_url"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):  # before it takes a role it may read nothing
            await connection.fetch(f"TABLE {name}.consumer_offsets")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"SET ROLE {other}")
        await connection.execute(f"SET ROLE {name}")
        await connection.fetch(f"TABLE {name}.consumer_offsets")  # raises where the role may not
    finally:
        await connection.close()


async def test_database_wants_the_password(house: House) -> None:
    wrong = house.secret("reminders_database_url").replace("_login:", "_login:x")

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


def test_process_takes_less_than_half_of_what_its_container_may(house: House) -> None:
    limits = {name: house.ground.compose.containers[name].memory_bytes_max for name in house.processes}
    taken = {name: psutil.Process(one.process.pid).memory_info().rss for name, one in house.processes.items()}

    assert {name: taken[name] for name in limits if taken[name] > limits[name] / 2} == {}


def test_services_end_in_order_when_they_are_told_and_said_no_secret(house: House) -> None:
    """Last of this module: afterwards nothing runs any more."""
    ends = {name: process.stop() for name, process in house.processes.items()}
    secrets = [house.secret(name) for name in ("http_token", "postgres_password")]
    secrets += [
        house.secret(name).split(":")[2].split("@")[0] for name in house.ground.compose.secret_files if "url" in name
    ]

    assert set(ends.values()) == {0}, house.said
    assert "Traceback" not in house.said
    assert [secret for secret in secrets if secret in house.said + house.migrated.stdout + house.migrated.stderr] == []
