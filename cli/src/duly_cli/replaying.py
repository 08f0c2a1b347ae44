"""`duly replay` and `duly demo`: real or generated people, played on the driven clock."""

import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from duly_chassis.logs import configure
from duly_chassis.loopback import is_loopback
from duly_chassis.serving import Ending
from duly_cli import staying
from duly_cli.rehearsal import oulad
from duly_cli.rehearsal.play import Play
from duly_cli.rehearsal.sample import sample
from duly_cli.rehearsal.summary import Summary
from duly_cli.rehearsal.ways import LATE_S, LATE_S_MAX, By, Way
from duly_cli.states import default_state
from duly_cli.troubles import Usage, told_plainly
from duly_local.stack import Stack

replay = typer.Typer(help="Play recorded learners on a driven clock.", no_args_is_help=True)

Smtp = Annotated[
    str | None,
    typer.Option("--smtp", help="Send to this server (smtp://127.0.0.1:PORT) instead of a local inbox."),
]
Channel = Annotated[By, typer.Option("--channel", help="Send by this channel instead of by mail.")]
Slack = Annotated[
    str | None, typer.Option("--slack", help="With --channel slack: its API on this machine (http://127.0.0.1:PORT).")
]
Twilio = Annotated[
    str | None, typer.Option("--twilio", help="With --channel sms: its API on this machine (http://127.0.0.1:PORT).")
]
Late = Annotated[
    float,
    typer.Option(
        "--late",
        min=0,
        max=LATE_S_MAX,
        help="So many seconds of this machine after its answer was lost, Slack or Twilio may still take a message.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option("--state", help="Keep all state here; given again after any crash, the replay goes on."),
]
Until = Annotated[datetime | None, typer.Option("--until", formats=["%Y-%m-%d"], help="End at 00:00Z of this day.")]
Stay = Annotated[
    bool | None,
    typer.Option(
        "--stay/--no-stay",
        help="Keep everything open to look at the mails.",
        show_default="only in a terminal",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line of stdout, nothing else.")]

Ended = Callable[[Summary, Stack], Awaitable[None]]


@replay.command("oulad")
def replay_oulad(
    folder: Annotated[Path, typer.Argument(help="A folder in the form of the OULAD data set.")],
    channel: Channel = By.MAIL,
    smtp: Smtp = None,
    slack: Slack = None,
    twilio: Twilio = None,
    late: Late = LATE_S,
    state: State = None,
    until: Until = None,
    as_json: AsJson = False,
) -> None:
    """Send the reminders that these learners would have got, each at its moment of the driven clock."""
    with told_plainly():
        way = replace(_way(channel, smtp, slack, twilio), late_s=late)

        async def ended(summary: Summary, _stack: Stack) -> None:
            _print(summary, as_json, kept=state is not None)

        _run(oulad.read(folder), way, state, until, ended)


def demo(state: State = None, as_json: AsJson = False, stay: Stay = None) -> None:
    """Play a generated sample organisation over a few weeks, and show its mails."""
    with told_plainly():
        stays = sys.stdin.isatty() and not as_json if stay is None else stay

        async def ended(summary: Summary, stack: Stack) -> None:
            _print(summary, as_json, kept=True)
            await _show(summary.page, stack, stays, aside=as_json)

        _run(sample(), Way(), state or default_state("demo"), None, ended)


async def _show(page: str, stack: Stack, stays: bool, *, aside: bool) -> None:
    """Name the page of the mails and keep it open; `aside`, on stderr, where stdout is for a machine."""
    if not stays:
        if not aside:
            typer.echo(f"Their page {page} closes with this command; `duly demo --stay` keeps it open.")
        return
    terminal = sys.stdin.isatty()
    typer.echo(f"Read them, each with its story: {page}", err=aside)
    typer.echo("Enter ends it." if terminal else "Ctrl-C ends it.", err=aside)
    ending = Ending()
    ending.started()
    with staying.enter_ends(ending) if terminal else nullcontext():
        await staying.watch(stack, ending)


def _way(channel: By, smtp: str | None, slack: str | None, twilio: str | None) -> Way:
    """Choose the way; raises Usage for a server that is not asked, is missing, or is not this machine."""
    given = {By.MAIL: ("--smtp", smtp), By.SLACK: ("--slack", slack), By.SMS: ("--twilio", twilio)}
    for by, (option, url) in given.items():
        if by is not channel and url is not None:
            raise Usage(f"{option} goes with --channel {by.value}, and this replay sends by {channel.value}")
    option, url = given[channel]
    scheme = "smtp" if channel is By.MAIL else "http"
    if (url is None and channel is not By.MAIL) or (url is not None and not _on_this_machine(url)):
        # A replay must never reach real people.
        raise Usage(f"a replay talks to loopback addresses only: give {option} {scheme}://127.0.0.1:PORT")
    return Way(channel, url)


def _on_this_machine(url: str) -> bool:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return host is not None and is_loopback(host)


def _run(play: Play, way: Way, state: Path | None, until: datetime | None, ended: Ended) -> None:
    configure("error")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tries again by itself; what cannot go on is told
    end = until.replace(tzinfo=UTC) if until else None
    if not play.facts:
        raise Usage("there is nothing to play: no registration with a day and an assessment with a day")
    # After the input was read: what is wrong with it must not wait for the imports of a whole house.
    from duly_cli.rehearsal import session  # noqa: PLC0415

    with _folder(state) as folder, _bar(len(play.facts)) as (progress, say, told):

        async def end_of_play(summary: Summary, stack: Stack) -> None:
            progress.stop()  # what follows is no progress
            await ended(summary, stack)

        session.run(session.Rehearsal(play, folder, way, end, say, told, end_of_play))


@contextmanager
def _folder(state: Path | None) -> Iterator[Path]:
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
        yield state.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="duly-replay-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # PostgreSQL of root runs as nobody and must reach its data below
        yield Path(folder)


@contextmanager
def _bar(facts: int) -> Iterator[tuple[Progress, Callable[[str], None], Callable[[datetime, int], None]]]:
    """Show progress on stderr: a bar with an estimate on a terminal, a line now and then elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Starting", total=facts)

        def say(text: str) -> None:
            console.print(text, highlight=False)

        def told(instant: datetime, played: int) -> None:
            progress.update(task, completed=played, description=f"{instant:%Y-%m-%d %H:%M}Z")

        yield progress, say, told


def _print(summary: Summary, as_json: bool, kept: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(summary.as_json()) + "\n")
        return
    found = summary.as_json()
    typer.echo(f"{found['sent']} mails sent")
    for step, number in sorted(summary.reminders.items(), key=lambda item: -int(item[0])):
        typer.echo(f"  {number:>7} {step} days ahead")
    withheld = Counter(summary.decisions) + Counter(summary.suppressed)
    del withheld["moment_reached"]
    typer.echo(f"{withheld.total()} withheld")
    for reason, number in sorted(withheld.items()):
        typer.echo(f"  {number:>7} {reason}")
    typer.echo(f"{sum(one['messages'] for one in summary.held)} would have been held by a brake")
    for one in summary.held:
        times = "once" if one["times"] == 1 else f"{one['times']} times"
        typer.echo(f"  {one['messages']:>7} {one['brake']}, tripped {times}")
    typer.echo(f"{len(summary.parked)} parked for a person")
    typer.echo(f"{summary.assignments} assignments, {found['seconds']} s, {found['events_per_second']} events/s")
    if summary.mails is not None:
        typer.echo(f"The mails are in {summary.mails}" if kept else "The mails are gone; give --state to keep them.")
