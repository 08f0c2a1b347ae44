"""`duly dead-letters`: what could not be applied, by group of cause, and a person's word on it."""

import asyncio
import json
import sys
from collections import Counter
from typing import Annotated, Any

import typer

from duly_cli import asking
from duly_cli.explaining import AsJson, Token
from duly_cli.ordering import By, service_address
from duly_cli.states import UpState, addresses
from duly_cli.troubles import FAILED, Usage, told_plainly

PATH = "/v1/dead-letters"
PORTIONS_MAX = 100_000  # of one command; the service goes on by id, so this is never the end of a real one

dead_letters = typer.Typer(
    help="Records that could not be applied: look, have them applied again, or give them up.", no_args_is_help=True
)

OfTenant = Annotated[
    str | None,
    typer.Option("--tenant", help="This tenant's only; without it everybody's, and what belongs to nobody."),
]
Group = Annotated[str | None, typer.Option("--group", help="All of one cause, as `list` names it.")]
Number = Annotated[int | None, typer.Option("--id", min=1, help="One letter, as `show` numbers it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")]


@dead_letters.command("list")
def list_letters(
    state: UpState,
    service: Annotated[str | None, typer.Option("--service", help="One service; without it every one.")] = None,
    tenant: OfTenant = None,
    settled: Annotated[bool, typer.Option("--all", help="Replayed and discarded ones, too.")] = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """List the groups of cause, in every service."""
    with told_plainly():
        where = addresses(state) if service is None else {service: service_address(state, service)}
        query = of_tenant({"settled": "true"} if settled else {}, tenant)
        found = asyncio.run(_groups(where, query, token))
        if as_json:
            sys.stdout.write(json.dumps(found) + "\n")
            return
        for name, groups in found.items():
            for one in groups:
                typer.echo(f"{name}  {told_group(one)}")
        typer.echo(f"{sum(one['open'] for groups in found.values() for one in groups)} open")


@dead_letters.command("show")
def show_letters(
    service: str,
    group_or_id: Annotated[str, typer.Argument(metavar="GROUP|ID", help="As `list` names it, or one letter's id.")],
    state: UpState,
    tenant: OfTenant = None,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Show the letters of a group, or one: lengths, the envelope and the shape, never the bytes."""
    with told_plainly():
        which = "id" if group_or_id.isdecimal() else "group"
        query = of_tenant({which: group_or_id}, tenant)
        answer = asyncio.run(asking.get(service_address(state, service), PATH, query, token))
        if as_json:
            sys.stdout.write(json.dumps(answer) + "\n")
            return
        for letter in answer["letters"]:
            for line in told_letter(letter):
                typer.echo(line)
        typer.echo(f"{answer['known']} in all, {answer['open']} open, {len(answer['letters'])} shown")


@dead_letters.command("replay")
def replay_letters(
    service: str,
    by: By,
    state: UpState,
    group: Group = None,
    number: Number = None,
    tenant: OfTenant = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Have letters applied again, by the code that applies what comes from Kafka; a second time changes nothing."""
    with told_plainly():
        order = of_tenant(chosen(group, number), tenant) | {"by": by, "dry_run": dry_run}
        done = asyncio.run(_replay(service_address(state, service), order, token))
        if as_json:
            sys.stdout.write(json.dumps(done) + "\n")
        else:
            for why, times in done["failures"].items():
                typer.echo(f"  {times} x {why}")
            typer.echo(("would be " if dry_run else "") + ", ".join(f"{done[name]} {name}" for name in COUNTS))
        if done["failed"]:
            raise typer.Exit(FAILED)


@dead_letters.command("discard")
def discard_letters(
    service: str,
    by: By,
    reason: Annotated[str, typer.Option("--reason", help="Why nobody needs them; kept with the decision.")],
    state: UpState,
    group: Group = None,
    number: Number = None,
    tenant: OfTenant = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    token: Token = None,
) -> None:
    """Give letters up: they are not applied any more, and stay to be seen with --all until they are purged."""
    with told_plainly():
        order = of_tenant(chosen(group, number), tenant) | {"by": by, "reason": reason, "dry_run": dry_run}
        done = asyncio.run(asking.post(service_address(state, service), f"{PATH}/discard", order, token))
        if as_json:
            sys.stdout.write(json.dumps(done) + "\n")
            return
        typer.echo(f"{'would be ' if dry_run else ''}{done['discarded']} discarded")


COUNTS = ("applied", "repeated", "skipped", "failed")
"""What a replay counts: applied now, known already by their id, of no use to this release, kept for another time."""


async def _groups(where: dict[str, str], query: dict[str, str], token: str | None) -> dict[str, Any]:
    return {name: (await asking.get(address, PATH, query, token))["groups"] for name, address in where.items()}


async def _replay(address: str, order: dict[str, Any], token: str | None) -> dict[str, Any]:
    """Have one portion after the other replayed, and add up what became of them."""
    total, failures, after = Counter(dict.fromkeys(COUNTS, 0)), Counter[str](), 0
    for _ in range(PORTIONS_MAX):
        answer = await asking.post(address, f"{PATH}/replay", {**order, "after": after}, token)
        total.update({name: answer[name] for name in COUNTS})
        failures.update(answer["failures"])
        if answer["next"] is None:
            break
        after = answer["next"]
        sys.stderr.write(f"{sum(total.values())} replayed\n")
    return {**total, "failures": dict(failures)}


def chosen(group: str | None, number: int | None) -> dict[str, Any]:
    """Say which letters are meant; raises Usage."""
    if (group is None) == (number is None):
        raise Usage("give --group or --id, one of them")
    return {"id": number} if group is None else {"group": group}


def of_tenant(words: dict[str, Any], tenant: str | None) -> dict[str, Any]:
    """Add the tenant, if one was named."""
    return words if tenant is None else {**words, "tenant": tenant}


def told_group(one: dict[str, Any]) -> str:
    """Write a group as one line."""
    settled = "".join(f"  {one[name]} {name}" for name in ("replayed", "discarded") if one[name])
    tries = f"  tried {one['tries']} times" if one["tries"] else ""
    seen = f"{one['first_seen']} to {one['last_seen']}"
    return f"{one['group']}  {one['open']} open{settled}{tries}  {seen}  {one['reason']}: {one['fingerprint']}"


def told_letter(letter: dict[str, Any]) -> list[str]:
    """Write a letter as lines."""
    place = f"{letter['topic']}[{letter['partition']}] at {letter['offset']}"
    settled = f" by {letter['settled_by']} at {letter['settled_at']}" if letter["settled_by"] else ""
    because = f": {letter['settled_reason']}" if letter["settled_reason"] else ""
    return [
        f"{letter['id']}  {letter['state']}{settled}{because}  {place}  received {letter['received_at']}",
        f"  cause    {letter['group']}  {letter['reason']}: {letter['fingerprint']}",
        f"  tenant   {letter['tenant'] or 'nobody can tell'}; replayed {letter['replay_count']} times",
        f"  bytes    key {letter['key_bytes']}, value {letter['value_bytes']}",
        f"  headers  {json.dumps(letter['headers'])} and {letter['other_headers']} others",
        f"  shape    {json.dumps(letter['shape'])}",
    ]
