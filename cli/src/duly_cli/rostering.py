"""`duly roster`: send a file of people, see what it did or would do, and decide about a run that is held."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from duly_cli import asking
from duly_cli.explaining import AsJson, Tenant, Token
from duly_cli.roster_file import look_twice
from duly_cli.roster_words import told_decision, told_outcome, told_run, told_runs
from duly_cli.states import UpState, addresses
from duly_cli.troubles import FAILED, HELD, Usage, told_plainly

roster = typer.Typer(help="Who works here: import files of people, decide about held runs.", no_args_is_help=True)

IMPORT_DEADLINE_S = 900.0
DELIMITERS = ("comma", "semicolon", "tab")
ENCODINGS = ("utf-8", "utf-16")

Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the decision.")]
By = Annotated[str, typer.Option("--by", help="Who decides; kept with the decision.")]
Run = Annotated[int, typer.Argument(help="The number of the run.", min=1)]


@roster.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV file of people; its header names the columns.")],
    tenant: Tenant,
    state: UpState,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; change nothing.")] = False,
    complete: Annotated[
        bool, typer.Option("--complete", help="The file holds everybody: who is missing from it has left.")
    ] = False,
    by: Annotated[str, typer.Option("--by", help="Who sends it; kept with the run.")] = "",
    delimiter: Annotated[
        str | None, typer.Option(help="comma, semicolon or tab, where it is not to be found out.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="utf-8 or utf-16.")] = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Import people. Ends with 0 done, 1 failed or with refused rows, 2 wrong usage, 3 held for a person's word."""
    with told_plainly():
        _known("--delimiter", delimiter, DELIMITERS)
        _known("--encoding", encoding, ENCODINGS)
        where = _where(state)
        content = look_twice(file)
        sys.stderr.write(f"Sending {file.name}, {len(content)} bytes.\n")
        query = {"tenant": tenant, "name": file.name, "by": by}
        query |= {"dry_run": "1"} if dry_run else {}
        query |= {"complete": "1"} if complete else {}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"encoding": encoding} if encoding else {}
        answer = asyncio.run(asking.send(where, "/v1/roster/import", query, content, token, IMPORT_DEADLINE_S))
        _show(answer, as_json, told_outcome(answer, str(file)))
        _end(answer)


@roster.command("runs")
def list_runs(tenant: Tenant, state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """List the last runs, newest first."""
    with told_plainly():
        answer = asyncio.run(asking.get(_where(state), "/v1/roster/runs", {"tenant": tenant}, token))
        _show(answer, as_json, told_runs(answer["runs"]))


@roster.command("show")
def show_run(run: Run, tenant: Tenant, state: UpState, as_json: AsJson = False, token: Token = None) -> None:
    """Show one run: what it did or would do to whom, what was refused, and who decided."""
    with told_plainly():
        query = {"tenant": tenant, "run": str(run)}
        answer = asyncio.run(asking.get(_where(state), "/v1/roster/run", query, token))
        _show(answer, as_json, told_run(answer))


@roster.command("release")
def release_run(run: Run, tenant: Tenant, by: By, reason: Reason, state: UpState, token: Token = None) -> None:
    """Put exactly this held run in force; refused when the roster has changed since it was held."""
    _decide(state, "/v1/roster/release", {"tenant": tenant, "run": str(run), "by": by, "reason": reason}, token)


@roster.command("discard")
def discard_run(run: Run, tenant: Tenant, by: By, reason: Reason, state: UpState, token: Token = None) -> None:
    """Throw a held run away."""
    _decide(state, "/v1/roster/discard", {"tenant": tenant, "run": str(run), "by": by, "reason": reason}, token)


def _decide(state: Path, path: str, order: dict[str, str], token: str | None) -> None:
    with told_plainly():
        answer = asyncio.run(asking.post(_where(state), path, order, token))
        typer.echo(told_decision(answer))


def _show(answer: Any, as_json: bool, lines: list[str]) -> None:
    if as_json:
        sys.stdout.write(json.dumps(answer) + "\n")
        return
    for line in lines:
        typer.echo(line)


def _end(answer: dict[str, Any]) -> None:
    """End with the code that a script goes by: held is told before refused rows, for nothing is in force then."""
    if answer.get("brakes"):
        raise typer.Exit(HELD)
    if answer["refusals"]:
        raise typer.Exit(FAILED)


def _known(option: str, word: str | None, words: tuple[str, ...]) -> None:
    if word is not None and word not in words:
        raise Usage(f"{option}: one of {', '.join(words)}")


def _where(state: Path) -> str:
    where = addresses(state)
    if "roster" not in where:
        raise Usage("roster does not run here: start `duly up`, or set DULY_ROSTER_ADDRESS")
    return where["roster"]
