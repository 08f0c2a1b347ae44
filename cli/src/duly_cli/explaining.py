"""`duly explain`: the whole story of one person's assignment, each service telling its part."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer

from duly_cli import asking
from duly_cli.states import UpState, addresses
from duly_cli.troubles import told_plainly
from duly_local.story import told

Tenant = Annotated[str, typer.Option("--tenant", envvar="DULY_TENANT", help="Whose data to look at.")]
Token = Annotated[str | None, typer.Option(envvar="DULY_HTTP_TOKEN", hidden=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answers as one JSON object.")]


def explain(
    person: Annotated[str, typer.Argument(help="The person's id in the source system.")],
    assignment: Annotated[str, typer.Argument(help="The assignment's id in the source system.")],
    tenant: Tenant,
    state: UpState,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Tell why somebody heard something, or did not, and what will happen next."""
    with told_plainly():
        query = {"tenant": tenant, "person": person, "assignment": assignment}
        story = asyncio.run(_ask(addresses(state), query, token))
        if as_json:
            sys.stdout.write(json.dumps(story) + "\n")
            return
        for line in told(story):
            typer.echo(line)


async def _ask(where: dict[str, str], query: dict[str, str], token: str | None) -> dict[str, Any]:
    story = {name: await _part(name, address, query, token) for name, address in sorted(where.items())}
    if all("unanswered" in part for part in story.values()):
        raise asking.Unanswered("; ".join(part["unanswered"] for part in story.values()))
    return story


async def _part(name: str, address: str, query: dict[str, str], token: str | None) -> Any:
    """Return one service's part; one that gives no answer costs only its own."""
    try:
        return await asking.get(address, "/v1/explain", query, token)
    except asking.Unanswered as error:
        return {"known": None, "unanswered": f"{name}: {error}"}
