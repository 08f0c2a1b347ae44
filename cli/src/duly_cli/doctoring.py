"""`duly doctor`: checks what is set, without any service running, and says what is wrong and what to do."""

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from duly_chassis import entries, examine
from duly_chassis.clock import SystemClock
from duly_cli.explaining import AsJson
from duly_cli.troubles import told_plainly

Service = Annotated[
    str | None,
    typer.Option("--service", help="One service alone, for example messenger.", autocompletion=entries.names),
]


def doctor(service: Service = None, as_json: AsJson = False) -> None:
    """Check settings, database, broker, topics and providers; nothing is sent to anybody."""
    with told_plainly():
        chosen = [entries.named(service)] if service else entries.every()
        with examine.quiet(), _bar() as heard:
            told = asyncio.run(examine.examine(chosen, SystemClock(), heard))
        sys.stdout.write(examine.as_json(told) if as_json else "".join(f"{line}\n" for line in examine.as_text(told)))
    if code := examine.worst(told):
        raise typer.Exit(code)


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal how far it is; a check that gets no answer takes seconds."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("Checking", total=None)
        yield lambda answered, of: progress.update(task, completed=answered, total=of)
