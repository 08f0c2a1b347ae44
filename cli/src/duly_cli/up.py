"""`duly up`, `duly run`, `duly migrate`: the house on one machine, one service alone, and the schemas."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from duly_chassis import crash, entries, kafka_topics, migrate, serving
from duly_chassis.clock import SystemClock
from duly_chassis.host import Host
from duly_chassis.logs import configure
from duly_chassis.plain import PlainError
from duly_chassis.secret_files import from_file
from duly_chassis.service import Entry
from duly_chassis.settings import SHARED_PREFIX, ServiceSettings
from duly_cli import staying
from duly_cli.states import BROKER, UpState, noted
from duly_cli.troubles import Usage, told_plainly
from duly_local.stack import Endpoints, Stack

READY_S = 90


def up(state: UpState) -> None:
    """Run PostgreSQL, Kafka, a mail inbox and every service on this machine, until Ctrl-C.

    DULY_KAFKA_BOOTSTRAP, DULY_DATABASE_URL and DULY_SMTP_URL point at existing servers instead.
    """
    with told_plainly():
        configure("warning")
        state.mkdir(parents=True, exist_ok=True)
        existing = {name: shared(name) for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL", "SMTP_URL")}
        stack = Stack(
            state.resolve(),
            kafka=existing["KAFKA_BOOTSTRAP"] is None,
            postgres=existing["DATABASE_URL"] is None,
            inbox=existing["SMTP_URL"] is None,
            say=typer.echo,
        )
        with stack as started:
            found = Endpoints(
                existing["KAFKA_BOOTSTRAP"] or started.kafka_bootstrap,
                existing["DATABASE_URL"] or started.database_url,
                existing["SMTP_URL"] or started.smtp_url,
                started.mails,
                started.inbox_url,
            )
            _migrate(found.database_url, lambda _text: None)
            asyncio.run(_up(stack, found, state))
        typer.echo("Everything is stopped.")


def run(
    name: Annotated[str, typer.Argument(help="The service, for example reminders.", autocompletion=entries.names)],
) -> None:
    """Run one service alone, with the settings of the environment, until Ctrl-C."""
    with told_plainly():
        crash.arm()
        entry = entries.named(name)
        settings = serving.settings_of(entry, {})
        configure(settings.log_level)
        asyncio.run(_run([(entry, settings)]))


def migrate_all(
    logins: Annotated[
        bool,
        typer.Option("--logins", help="Make the login that each service's own DATABASE_URL variable names, too."),
    ] = False,
) -> None:
    """Bring schemas, roles and topics of the servers in the environment to this release."""
    with told_plainly():
        crash.arm()
        configure("warning")
        database_url, bootstrap = shared("DATABASE_URL"), shared("KAFKA_BOOTSTRAP")
        if not database_url or not bootstrap:
            raise Usage("set DULY_DATABASE_URL (a role that may create roles) and DULY_KAFKA_BOOTSTRAP")
        _migrate(database_url, typer.echo, _own_urls() if logins else {})
        asyncio.run(kafka_topics.create(bootstrap, typer.echo))


async def _up(stack: Stack, found: Endpoints, state: Path) -> None:
    await kafka_topics.create(found.kafka_bootstrap, lambda _text: None)
    wired = [(entry, serving.settings_of(entry, _own(entry, found, state))) for entry in entries.every()]
    await _run(wired, stack, found, state)


def _own_urls() -> dict[str, str]:
    """Read every service's own database address; raises Usage with the variables that are missing."""
    names = [f"{name.upper()}_DATABASE_URL" for name in entries.names()]
    found = {f"{SHARED_PREFIX}{name}": shared(name) for name in names}
    if missing := [variable for variable, url in found.items() if not url]:
        raise Usage(f"--logins makes the logins that these name, but they are not set: {', '.join(missing)}")
    return {variable: url for variable, url in found.items() if url}


def _migrate(database_url: str, say: Callable[[str], None], own_urls: Mapping[str, str] = migrate.NO_LOGINS) -> None:
    """Migrate; what the driver raises is told by its class alone, for its text may repeat the address."""
    try:
        migrate.schemas(database_url, entries.every(), say, own_urls)
    except PlainError:
        raise
    except Exception as error:  # which driver it is, is the migrations' own affair
        raise migrate.MigrationError(
            f"{type(error).__name__}: the database of DULY_DATABASE_URL cannot be reached or migrated"
        ) from error


def _own(entry: Entry, found: Endpoints, state: Path) -> dict[str, Any]:
    """Tell a service where this machine's servers are, except where a variable of its own says otherwise."""
    values: dict[str, Any] = {
        "database_url": found.database_url,
        "kafka_bootstrap": found.kafka_bootstrap,
        "smtp_url": found.smtp_url,
        "instance_id": f"up-{entry.name}-{state.resolve().name}",
        "log_level": "warning",
    }
    own = f"{SHARED_PREFIX}{entry.name.upper()}_"
    said = {name for name in values if {f"{own}{name.upper()}", f"{own}{name.upper()}_FILE"} & os.environ.keys()}
    return {name: value for name, value in values.items() if name in entry.settings.model_fields and name not in said}


def shared(name: str) -> str | None:
    """Read a variable that all services share as their settings do: itself first, then its file; raises Usage."""
    variable = f"{SHARED_PREFIX}{name}"
    try:
        return os.environ.get(variable) or from_file(variable)
    except ValueError as error:
        raise Usage(str(error)) from None


async def _run(
    wired: Sequence[tuple[Entry, ServiceSettings]],
    stack: Stack | None = None,
    found: Endpoints | None = None,
    state: Path | None = None,
) -> None:
    """Run until a signal comes, or a child process of the stack has died; a signal also ends a start that waits."""
    ending = serving.Ending()
    try:
        async with serving.together(wired, SystemClock()) as running:
            where = {host.service.name: address for host, address in running}
            broker = {BROKER: found.kafka_bootstrap} if found is not None else {}
            with noted(state, where | broker) if state is not None else nullcontext():
                await serving.settled([host for host, _ in running], READY_S)
                ending.started()
                _say(where, found)
                await _say_held([host for host, _ in running])
                await staying.watch(stack, ending)
            typer.echo("Stopping.")
    except asyncio.CancelledError:
        typer.echo("Stopped before it was ready.")


async def _say_held(hosts: Sequence[Host]) -> None:
    """Say what waits for a person's word."""
    for host in hosts:
        for one in await host.health.ready():
            if one.name == "brake" and one.said:
                typer.echo(f"{host.service.name:<12} {one.said}; see `duly brake list`")


def _say(where: dict[str, str], found: Endpoints | None) -> None:
    """Say where everything is."""
    for name, address in where.items():
        typer.echo(f"{name:<12} {address}/health/ready")
    typer.echo("metrics      at the same addresses, /metrics")
    if found is not None:
        typer.echo(f"Kafka        {found.kafka_bootstrap}")
        typer.echo(f"PostgreSQL   {found.database_url.rpartition('@')[2]}")
        if found.inbox_url:
            typer.echo(f"inbox        {found.inbox_url}")
        typer.echo(f"mails        {found.mails}" if found.mails else "mails        go to DULY_SMTP_URL")
    typer.echo("Running. Ctrl-C stops everything.")
