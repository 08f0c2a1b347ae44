"""docker-compose.yml says what the code says: services, variables, ports, topics, and how little a container may do."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from duly_chassis import entries
from duly_chassis.service import Entry
from duly_chassis.settings import PublicSettings
from duly_local import kafka, postgres
from tests.architecture.source import ROOT, toml
from tests.support import compose
from tests.support.compose import Container
from tests.support.image import dockerfile

READ = compose.read()
SERVICES = {entry.name: entry for entry in entries.every()}
OURS, THEIRS = READ.ours, {name: one for name, one in READ.containers.items() if not one.package}
each_service = pytest.mark.parametrize("name", sorted(SERVICES))
each_of_ours = pytest.mark.parametrize("name", sorted(OURS))
PINNED = re.compile(r"[\w./-]+:\d+(\.\d+)+(-[\w.]+)?")
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|DATABASE_URL|SMTP_URL")
OF_KAFKA = {"advertised.listeners", "listeners", "log.dirs", "controller.quorum.bootstrap.servers"}
OF_POSTGRES = {"listen_addresses", "unix_socket_directories"}
"""Addresses and folders: what cannot be the same in a container and on this machine."""


def variables_of(entry: Entry) -> dict[str, str]:
    """Return every variable that a service reads, with the setting it sets."""
    fields = entry.settings.model_fields
    prefixes = ("DULY_", f"DULY_{entry.name.upper()}_")
    return {
        f"{prefix}{field.upper()}{ending}": field for field in fields for prefix in prefixes for ending in ("", "_FILE")
    }


def unread(container: Container, entry: Entry) -> list[str]:
    """Return the variables that are given to a service and that it does not read."""
    return sorted(container.environment.keys() - variables_of(entry).keys())


def missing(container: Container, entry: Entry) -> list[str]:
    """Return the settings without a default that nobody gives."""
    given = {variables_of(entry).get(name) for name in container.environment}
    return sorted(
        name for name, field in entry.settings.model_fields.items() if field.is_required() and name not in given
    )


def test_every_service_is_in_compose_with_its_own_image_and_command() -> None:
    """STYLE.md point 17: a service that nobody starts is found here."""
    runs = {name: one for name, one in OURS.items() if one.argv[:3] == ["python", "-m", "duly_chassis.run"]}

    assert runs.keys() == SERVICES.keys()
    for name, one in runs.items():
        assert one.argv[3:] == [name]
        assert one.package == f"duly-{name.replace('_', '-')}" == one.image


@each_service
def test_variable_of_a_service_is_one_of_its_settings_and_none_is_missing(name: str) -> None:
    assert unread(OURS[name], SERVICES[name]) == []
    assert missing(OURS[name], SERVICES[name]) == []


def test_wrong_variable_and_missing_setting_are_noticed() -> None:
    wrong = Container("reminders", {"environment": {"DULY_REMINDERS_TYPO": "1", "DULY_KAFKA_BOOTSTRAP": "k:9092"}})

    assert unread(wrong, SERVICES["reminders"]) == ["DULY_REMINDERS_TYPO"]
    assert missing(wrong, SERVICES["reminders"]) == ["database_url"]


@each_service
def test_service_is_told_where_to_listen_and_that_port_is_published(name: str) -> None:
    port = int(OURS[name].environment["DULY_HTTP_PORT"])

    public = OURS[name].environment.get(f"DULY_{name.upper()}_PUBLIC_PORT")
    ports = [port] if public is None else [port, int(public)]

    assert (public is not None) == issubclass(SERVICES[name].settings, PublicSettings)
    assert [(one.outer, one.inner) for one in OURS[name].ports] == [(one, one) for one in ports]
    assert READ.containers["duly"].environment[f"DULY_{name.upper()}_ADDRESS"] == f"http://{name}:{port}"


@each_service
def test_service_starts_after_its_servers_and_after_migrate_and_has_time_to_stop(name: str) -> None:
    wanted = {"kafka": "service_healthy", "postgres": "service_healthy", "migrate": "service_completed_successfully"}
    grace_s = int(OURS[name].said["stop_grace_period"].removesuffix("s"))

    assert wanted.items() <= OURS[name].needs.items()
    assert grace_s >= SERVICES[name].settings.model_fields["stop_deadline_s"].default + 10
    assert OURS[name].said["restart"] == "unless-stopped"


def test_migrate_knows_every_service_and_makes_a_login_for_each() -> None:
    """The image of the command holds every service's chain, for it depends on them all."""
    migrate = OURS["migrate"]
    own = {f"DULY_{name.upper()}_DATABASE_URL_FILE": f"/run/secrets/{name}_database_url" for name in SERVICES}

    assert migrate.argv == ["duly", "migrate", "--logins"]
    assert own.items() <= migrate.environment.items()
    for name in SERVICES:
        key = f"DULY_{name.upper()}_DATABASE_URL_FILE"
        assert OURS[name].environment[key] == migrate.environment[key]
    assert "restart" not in migrate.said or migrate.said["restart"] == "no"
    assert migrate.needs == {"kafka": "service_healthy", "postgres": "service_healthy"}


def test_image_of_the_command_holds_every_service() -> None:
    declared = toml(ROOT / "cli" / "pyproject.toml")["project"]["dependencies"]

    assert [name for name in SERVICES if f"duly-{name.replace('_', '-')}" not in declared] == []


@pytest.mark.parametrize("name", sorted(READ.containers))
def test_ports_are_published_on_loopback_alone_and_once(name: str) -> None:
    everywhere = [one.outer for container in READ.containers.values() for one in container.ports]

    assert [one for one in READ.containers[name].ports if one.address != "127.0.0.1"] == []
    assert len(set(everywhere)) == len(everywhere)


@each_of_ours
def test_container_of_ours_may_do_little(name: str) -> None:
    said = OURS[name].said

    assert (said["read_only"], said["cap_drop"], said["tmpfs"]) == (True, ["ALL"], ["/tmp"])  # noqa: S108 - its own
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit", "logging"} <= said.keys()
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid", "user"} & said.keys()


@pytest.mark.parametrize("name", sorted(THEIRS))
def test_server_is_pinned_has_limits_and_says_when_it_is_well(name: str) -> None:
    said = THEIRS[name].said

    assert PINNED.fullmatch(THEIRS[name].image)
    assert (said["cap_drop"], said["security_opt"]) == (["ALL"], ["no-new-privileges:true"])
    assert {"mem_limit", "logging", "healthcheck", "volumes"} <= said.keys()


def test_whoever_is_waited_for_exists_and_can_become_what_is_waited_for() -> None:
    for container in READ.containers.values():
        for name, condition in container.needs.items():
            healthy = READ.containers[name].health or (OURS[name].said.get("healthcheck") is None)
            assert healthy if condition == "service_healthy" else READ.containers[name].said.get("restart") == "no"


def test_no_secret_stands_in_the_file() -> None:
    """Secrets come from files; a login for real mail would be one, the address of the inbox is none."""
    for container in READ.containers.values():
        for name, value in container.environment.items():
            if SECRET.search(name) and not name.endswith("_FILE"):
                assert "@" not in value
                assert value.startswith("smtp://inbox:")
            if name.endswith("_FILE") and "/run/secrets/" in value:
                assert value.rpartition("/")[2] in container.secrets


def test_each_container_gets_the_secrets_it_names_and_no_others() -> None:
    for container in READ.containers.values():
        named = {value.rpartition("/")[2] for value in container.environment.values() if "/run/secrets/" in value}
        assert named == set(container.secrets)
        assert named <= READ.secret_files.keys()
    used = {secret for container in READ.containers.values() for secret in container.secrets}
    assert used == READ.secret_files.keys()


def test_secrets_are_made_by_the_script_that_is_shipped_once_and_closed(tmp_path: Path) -> None:
    """Run where it is copied to: each file is made, readable in a container, in a folder closed to others; and kept."""
    script = tmp_path / "deploy" / "compose" / "secrets.sh"
    script.parent.mkdir(parents=True)
    script.write_bytes((ROOT / "deploy" / "compose" / "secrets.sh").read_bytes())
    for name in SERVICES:
        (tmp_path / "services" / name).mkdir(parents=True)
    first = made(script)
    again = made(script)

    assert {f"deploy/compose/secrets/{name}" for name in first} == set(READ.secret_files.values())
    assert again == first
    assert script.with_name("secrets").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in script.with_name("secrets").iterdir()} == {0o444}
    assert first["owner_database_url"] == f"postgresql://duly_owner:{first['postgres_password']}@postgres:5432/duly"
    passwords = [first[name].split(":")[2].split("@")[0] for name in first if name.endswith("_database_url")]
    assert len(set(passwords)) == len(SERVICES) + 1


def made(script: Path) -> dict[str, str]:
    """Run the script; return the secrets that are there then."""
    subprocess.run(["sh", str(script)], check=True, capture_output=True, timeout=20)
    return {path.name: path.read_text(encoding="utf-8").strip() for path in script.with_name("secrets").iterdir()}


def test_secrets_are_neither_in_the_repository_nor_in_a_build() -> None:
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    build = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert "deploy/compose/secrets/" in ignored
    assert build[1] == "*"
    allowed = {line.removeprefix("!").rstrip("/") for line in build if line.startswith("!")}
    copied = {source.rstrip("/") for stage in (1, -1) for source, _ in dockerfile().copied(stage)}
    assert copied | {"deploy"} == allowed
    assert "deploy/*" in build


def test_kafka_has_the_settings_of_this_machines_stack() -> None:
    """PEERS.md section 10: one node, no topic made by accident, and back soon after a kill."""
    lines = [line.partition("=") for line in kafka.SETTINGS.splitlines() if line and not line.startswith("#")]
    local = {name: value for name, _, value in lines if name not in OF_KAFKA}
    environment = READ.containers["kafka"].environment
    given = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }
    protocols = local.pop("listener.security.protocol.map")

    assert {name: given.get(name) for name in local} == local
    assert given["listener.security.protocol.map"] == f"{protocols},HOST:PLAINTEXT"
    assert "kafka:9092" in given["advertised.listeners"]
    assert set(READ.containers["kafka"].mounts) == {given["log.dirs"]}


def test_postgres_has_the_settings_of_this_machines_stack_and_keeps_its_data_where_18_does() -> None:
    """Version 18's image moved its data below /var/lib/postgresql: the old mount would not be kept."""
    words = READ.containers["postgres"].argv
    given = dict(word.removeprefix("-c").split("=", 1) for word in words[1:])

    assert given == {name: value for name, value in postgres.SETTINGS.items() if name not in OF_POSTGRES}
    assert READ.containers["postgres"].image.startswith(f"postgres:{postgres.MAJOR}.")
    assert set(READ.containers["postgres"].mounts) == {"/var/lib/postgresql"}


def test_topics_come_from_migrate_alone() -> None:
    """Nobody else names one: the code's list is the only one (duly_contracts.topics)."""
    assert READ.containers["kafka"].environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert re.findall(r"duly\.[a-z-]+", compose.FILE.read_text(encoding="utf-8").replace("duly_", "")) == []


def test_inbox_listens_where_messenger_sends() -> None:
    inbox, sends_to = OURS["inbox"], OURS["messenger"].environment["DULY_MESSENGER_SMTP_URL"]

    assert sends_to == f"smtp://inbox:{inbox.argv[inbox.argv.index('--port') + 1]}"
    assert set(inbox.mounts) == {inbox.argv[inbox.argv.index("--dir") + 1]}
    assert OURS["messenger"].needs["inbox"] == "service_healthy"


def test_variable_without_a_default_is_noticed() -> None:
    assert compose.read({"A": "1"}, "services: {x: {image: '${A:-2}$$'}}").containers["x"].image == "1$"
    with pytest.raises(ValueError, match="without a default"):
        compose.read({}, "services: {x: {image: '${A}'}}")


def test_commands_name_modules_that_exist() -> None:
    modules = {one.argv[2] for one in OURS.values() if one.argv[:2] == ["python", "-m"]}
    modules |= {dockerfile().health[2]}

    for module in modules:
        found = subprocess.run([sys.executable, "-c", f"import {module}"], check=False, capture_output=True, timeout=30)
        assert found.returncode == 0, module
