"""`duly blocks`: numbers that get no texts, the texts that said so, and a person's word on both."""

import asyncio
import json
from typing import Annotated, Any

import typer

from duly_cli import asking
from duly_cli.explaining import AsJson, Tenant, Token
from duly_cli.ordering import By, service_address
from duly_cli.states import UpState
from duly_cli.troubles import told_plainly

Digest = Annotated[str, typer.Argument(help="The digest of the number, as `list` and `waiting` show it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept with your name.")]

IN_WORDS = {
    "only_start_lifts": "only_start_lifts: whoever has this number said STOP, to us or to the provider; nobody here "
    "may lift that. A text START from the number itself does, and until then the provider refuses to text it as well",
    "not_blocked": "not_blocked: this tenant has no such number blocked; `duly blocks list` shows the digests",
}
"""What to do about a refusal."""

blocks = typer.Typer(help="Numbers that get no texts: who said STOP, and START again.", no_args_is_help=True)


@blocks.command("list")
def list_blocks(tenant: Tenant, state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """List blocked numbers by their digests; no number is kept."""
    with told_plainly():
        answer = asyncio.run(asking.get(service_address(state, "messenger"), "/v1/blocks", {"tenant": tenant}, token))
        if as_json:
            typer.echo(json.dumps(answer))
            return
        for row in answer["blocks"]:
            typer.echo(f"{row['number_digest']}  {row['word_class']:<8}  since {row['since']}")
        typer.echo(f"{len(answer['blocks'])} blocked")


@blocks.command("waiting")
def waiting(tenant: Tenant, state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """List texts that a person should read, with their words, and STARTs that wait to be confirmed."""
    with told_plainly():
        address, query = service_address(state, "intake"), {"tenant": tenant}
        reviews = asyncio.run(asking.get(address, "/v1/reviews", query, token))
        starts = asyncio.run(asking.get(address, "/v1/starts", query, token))
        if as_json:
            typer.echo(json.dumps(reviews | starts))
            return
        for row in reviews["reviews"]:
            said = "".join(c if c.isprintable() else " " for c in row["words"])  # a terminal obeys some characters
            typer.echo(f"{row['key']}  {row['number_digest']}  {row['word_class']:<6}  {row['at']}  {said}")
        for row in starts["starts"]:
            typer.echo(f"START  {row['number_digest']}  {row['at']}  lapses {row['next_due_at']}")
        typer.echo(f"{len(reviews['reviews'])} to read, {len(starts['starts'])} to confirm")


@blocks.command("lift")
def lift(
    number: Digest, tenant: Tenant, by: By, reason: Reason, state: UpState, as_json: AsJson = False, token: Token = None
) -> None:
    """Take back a block of class `wish` or `doubt`, whose text meant no STOP; what waited looks again at once."""
    order = {"tenant": tenant, "number_digest": number, "by": by, "reason": reason}
    _order(service_address(state, "messenger"), "/v1/blocks/lift", order, as_json, token)


@blocks.command("confirm")
def confirm(
    number: Digest, tenant: Tenant, by: By, reason: Reason, state: UpState, as_json: AsJson = False, token: Token = None
) -> None:
    """Bring a number's texts back for one tenant of a shared sender, after its START."""
    order = {"tenant": tenant, "number_digest": number, "by": by, "reason": reason}
    _order(service_address(state, "intake"), "/v1/starts/confirm", order, as_json, token)


@blocks.command("close")
def close(
    key: Annotated[str, typer.Argument(help="The provider's id of the text, as `waiting` shows it.")],
    tenant: Tenant,
    by: By,
    reason: Reason,
    state: UpState,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Forget the words of a text that you have read; a block stays until it is lifted."""
    order = {"tenant": tenant, "key": key, "by": by, "reason": reason}
    _order(service_address(state, "intake"), "/v1/reviews/close", order, as_json, token)


def _order(address: str, path: str, order: dict[str, Any], as_json: bool, token: str | None) -> None:
    with told_plainly():
        try:
            answer = asyncio.run(asking.post(address, path, order, token))
        except asking.Unanswered as refused:
            raise asking.Unanswered(IN_WORDS.get(refused.word, str(refused)), refused.word) from None
        typer.echo(json.dumps(answer) if as_json else answer["state"])
