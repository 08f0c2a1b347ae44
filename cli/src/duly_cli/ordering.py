"""`duly parked` and `duly brakes`: what waits for a person's word, and the word."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from duly_cli import asking
from duly_cli.explaining import AsJson, Tenant, Token
from duly_cli.states import UpState, addresses
from duly_cli.troubles import Usage, told_plainly

parked = typer.Typer(help="Messages whose fate nobody can know: send again, or settle.", no_args_is_help=True)
brakes = typer.Typer(help="Held work: what holds it, and its release by a named person.", no_args_is_help=True)

By = Annotated[str, typer.Option("--by", help="Who decides; kept with the decision.")]


@parked.command("list")
def list_parked(tenant: Tenant, state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """List parked messages, the oldest first."""
    with told_plainly():
        answer = asyncio.run(asking.get(service_address(state, "messenger"), "/v1/parked", {"tenant": tenant}, token))
        if as_json:
            sys.stdout.write(json.dumps(answer) + "\n")
            return
        for row in answer["parked"]:
            what = f"{row['person_id']}  {row['about']}  step {row['step']}"
            typer.echo(f"{row['outreach_id']}  {what}  {row['channel']} {row['address'] or '-'}  {row['reason']}")
            for said in row["evidence"]:
                typer.echo(f"    {said['at']}  {said['state']}  {said['reason']} {said['code']}".rstrip())
        typer.echo(f"{len(answer['parked'])} parked")


@parked.command("send")
def send_parked(
    outreach_id: str, tenant: Tenant, by: By, state: UpState, as_json: AsJson = False, token: Token = None
) -> None:
    """Try a parked message again; the person may hear it twice."""
    order = {"tenant": tenant, "outreach_id": outreach_id, "by": by}
    _order(state, "/v1/parked/send", order, token, as_json=as_json)


@parked.command("settle")
def settle_parked(
    outreach_id: str,
    tenant: Tenant,
    by: By,
    verdict: Annotated[str, typer.Option("--as", help="sent or not_sent.")],
    state: UpState,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Close a parked message as sent, or as not sent."""
    order = {"tenant": tenant, "outreach_id": outreach_id, "by": by, "as": verdict}
    _order(state, "/v1/parked/settle", order, token, as_json=as_json)


@brakes.command("list")
def list_brakes(state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """List what is held, in every service."""
    with told_plainly():
        held = asyncio.run(_brakes(addresses(state), token))
        if as_json:
            sys.stdout.write(json.dumps(held) + "\n")
            return
        for name, found in held.items():
            for brake in found:
                typer.echo(f"{name}  {brake['name']}  since {brake['since']}  {brake['reason']}")
        typer.echo(f"{sum(len(found) for found in held.values())} held")


@brakes.command("release")
def release_brake(
    service: str,
    name: str,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why it may go on; kept with the decision.")],
    state: UpState,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Let held work go on."""
    with told_plainly():
        order = {"name": name, "by": by, "reason": reason}
        answer = asyncio.run(asking.post(service_address(state, service), "/v1/brakes/release", order, token))
        typer.echo(json.dumps(answer) if as_json else f"{service}: {name} is released")


async def _brakes(where: dict[str, str], token: str | None) -> dict[str, Any]:
    return {name: await asking.get(address, "/v1/brakes", {}, token) for name, address in where.items()}


def service_address(state: Path, service: str) -> str:
    """Return where one service answers; raises Usage with the names of those that do."""
    where = addresses(state)
    if service not in where:
        raise Usage(f"{service} does not run here; there are: {', '.join(sorted(where))}")
    return where[service]


def _order(state: Path, path: str, order: dict[str, str], token: str | None, *, as_json: bool) -> None:
    with told_plainly():
        answer = asyncio.run(asking.post(service_address(state, "messenger"), path, order, token))
        typer.echo(json.dumps(answer) if as_json else f"{answer['outreach_id']} is now {answer['state']}")
