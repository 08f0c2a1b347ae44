"""`duly parked`: messages that wait for a person's word, and the word."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from duly_cli import asking
from duly_cli.explaining import AsJson, Tenant, Token
from duly_cli.states import UpState, addresses
from duly_cli.troubles import Usage, told_plainly

parked = typer.Typer(help="Messages whose fate nobody can know: send again, or settle.", no_args_is_help=True)

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
