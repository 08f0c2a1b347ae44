"""`duly brake`: what is held in any service, and a named person's word to hold it or to let it go on."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer

from duly_cli import asking
from duly_cli.explaining import AsJson, Token
from duly_cli.ordering import By, service_address
from duly_cli.states import UpState, addresses
from duly_cli.troubles import Usage, told_plainly

KILL_SWITCH = "kill-switch"
brake = typer.Typer(help="Held work: hold it, see what holds it, release it; by a named person.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
OneTenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant's sends.", show_default=False)]
Everybody = Annotated[bool, typer.Option("--all", help="The sends of every tenant.")]


@brake.command("list")
def list_brakes(state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """List what is held, in every service."""
    with told_plainly():
        held = asyncio.run(_brakes(addresses(state), token))
        if as_json:
            sys.stdout.write(json.dumps(held) + "\n")
            return
        for service, found in held.items():
            for one in found:
                typer.echo(f"{service}  {one['name']}  since {one['since']}  {one['reason']}{_more(one)}")
        number = sum(one.get("holds", True) for found in held.values() for one in found)
        typer.echo(f"{number} held")


@brake.command("hold")
def hold_brake(
    service: str,
    by: By,
    reason: Why,
    state: UpState,
    tenant: OneTenant = None,
    everybody: Everybody = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Stop all sends of a tenant, or of all: none begins after this has answered."""
    with told_plainly():
        order: dict[str, Any] = {"by": by, "reason": reason, **_scope(tenant, everybody=everybody)}
        answer = asyncio.run(asking.post(service_address(state, service), "/v1/brakes/hold", order, token))
        more = "" if answer["new"] else " already, and keeps its first reason"
        typer.echo(json.dumps(answer) if as_json else f"{service}: {answer['held']} holds{more}")


@brake.command("release")
def release_brake(
    service: str,
    by: By,
    reason: Why,
    state: UpState,
    name: Annotated[str | None, typer.Argument(help="As `duly brake list` names it.", show_default=False)] = None,
    tenant: OneTenant = None,
    everybody: Everybody = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Let held work go on: a brake by its NAME, or the kill switch of a tenant or of all."""
    with told_plainly():
        if name is None:
            found = _scope(tenant, everybody=everybody)
            name = f"{KILL_SWITCH}:{found['tenant']}" if "tenant" in found else KILL_SWITCH
        elif tenant is not None or everybody:
            raise Usage("a NAME says it all: give it, or --tenant, or --all")
        order = {"name": name, "by": by, "reason": reason}
        answer = asyncio.run(asking.post(service_address(state, service), "/v1/brakes/release", order, token))
        typer.echo(json.dumps(answer) if as_json else f"{service}: {name} is released")


def _scope(tenant: str | None, *, everybody: bool) -> dict[str, Any]:
    """Read whose sends are meant; raises Usage. No default: a tenant of the environment must not stop anybody."""
    if (tenant is not None) == everybody:
        raise Usage("give --tenant T or --all")
    return {"all": True} if everybody else {"tenant": tenant}


def _more(one: dict[str, Any]) -> str:
    """Say who holds, and how many messages it is about, where the service knows."""
    if "held" not in one:
        return ""
    would = "" if one["holds"] else ", only reported"
    return f" ({one['held']} messages, by {one['by']}{would})"


async def _brakes(where: dict[str, str], token: str | None) -> dict[str, Any]:
    return {name: await asking.get(address, "/v1/brakes", {}, token) for name, address in where.items()}
