"""`duly bounces`: mail that came back, taken from files; dead addresses, and a person's word that one lives."""

import asyncio
import json
import sys
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from duly_cli import asking
from duly_cli.explaining import AsJson, Tenant, Token
from duly_cli.ordering import By, service_address
from duly_cli.states import UpState
from duly_cli.troubles import FAILED, Usage, told_plainly

MAIL_BYTES_MAX = 1_000_000
FILES_MAX = 10_000
MAILDIR = ("new", "cur")

bounces = typer.Typer(help="Mail that came back: take it, and see whose address is dead.", no_args_is_help=True)


@bounces.command("list")
def list_bounces(tenant: Tenant, state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """List people whose address is dead, and bounces that nobody could read or place."""
    with told_plainly():
        answer = asyncio.run(asking.get(service_address(state, "messenger"), "/v1/bounces", {"tenant": tenant}, token))
        if as_json:
            sys.stdout.write(json.dumps(answer) + "\n")
            return
        for row in answer["dead"]:
            typer.echo(
                f"dead        {row['person_id']}  {row['code']}  since {row['since']}  told by {row['outreach_id']}"
            )
        for row in answer["odd"]:
            what = "unreadable" if row["known"] else "unknown   "
            typer.echo(f"{what}  {row['person_id'] or '-'}  {row['code'] or '-'}  {row['at']}  {row['outreach_id']}")
        typer.echo(f"{len(answer['dead'])} dead, {len(answer['odd'])} not understood")


@bounces.command("take")
def take(
    place: Annotated[Path, typer.Argument(help="One stored mail, or a folder of them (a Maildir, too).")],
    state: UpState,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Take stored bounces, each at most once however often it is given. Nothing is deleted."""
    with told_plainly():
        files = _files(place)
        kinds = asyncio.run(_take(service_address(state, "messenger"), files, token))
        if as_json:
            typer.echo(json.dumps(kinds))
        else:
            for kind, number in sorted(kinds.items()):
                typer.echo(f"{kind:<12} {number}")
        if kinds["too_large"]:
            typer.echo(f"larger than {MAIL_BYTES_MAX} bytes, so not taken: {kinds['too_large']}", err=True)
            raise typer.Exit(FAILED)


@bounces.command("revive")
def revive(person: str, tenant: Tenant, by: By, state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """Believe in a person's address again: what waited for it goes out."""
    with told_plainly():
        order = {"tenant": tenant, "person": person, "by": by}
        answer = asyncio.run(asking.post(service_address(state, "messenger"), "/v1/bounces/revive", order, token))
        typer.echo(json.dumps(answer) if as_json else f"mail goes to {person} again")


def _files(place: Path) -> list[Path]:
    """Name the mails of a place, in a stable order; raises Usage."""
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise Usage(f"{place}: no such file or folder")
    folders = [place, *(place / name for name in MAILDIR if (place / name).is_dir())]
    found = sorted(path for folder in folders for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    if len(found) > FILES_MAX:
        raise Usage(f"{place}: {len(found)} files, and {FILES_MAX} at most: take them in parts")
    return found


async def _take(address: str, files: Sequence[Path], token: str | None) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for path in files:
        if path.stat().st_size > MAIL_BYTES_MAX:
            kinds["too_large"] += 1
            continue
        order = {"mail": b64encode(path.read_bytes()).decode()}
        answer = await asking.post(address, "/v1/bounces/take", order, token)
        kinds[answer["kind"]] += 1
    return kinds
