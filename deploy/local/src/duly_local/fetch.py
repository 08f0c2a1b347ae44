"""Fetch what the one-machine stack needs and no wheel carries: Kafka's jars (`python -m duly_local.fetch`).

Also records Kafka's archive of loaded classes, once: ten seconds now, two seconds less at every start.
"""

import argparse
import signal
import sys
import tempfile
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from duly_local import jars, java, ports
from duly_local.errors import LocalError
from duly_local.jars import Say
from duly_local.kafka import Kafka
from duly_local.places import State

RECORD_WITHIN_S = 120.0


def fetch(say: Say, progress: jars.Progress) -> Path:
    """Fetch the jars if the cache lacks them, record the archive if it is missing; return the cache's folder."""
    found = jars.install(say, progress)
    target = java.archive(found)
    with jars.exclusive() as home:
        if not target.exists():
            say("Recording the classes of Apache Kafka, once, so that it starts faster.")
            try:
                _record(home, target)
            except LocalError as error:
                say(f"That did not work; Kafka will run, but start slower. {error}")
    return jars.folder()


def _record(home: Path, target: Path) -> None:
    """Run a broker that writes its archive when it ends, and put the archive in place when whole."""
    jars.clear(home, "record-*/")
    with tempfile.TemporaryDirectory(prefix="record-", dir=home) as name:
        state = State.at(Path(name))
        state.create()
        part = state.root / target.name
        chosen = ports.settle(state.ports, ["kafka", "controller"])
        broker = Kafka(
            state, client=chosen["kafka"], controller=chosen["controller"], say=lambda _text: None, record=part
        )
        try:
            broker.start(Event())
            if broker.child:
                broker.child.send(signal.SIGTERM)
                broker.child.wait(RECORD_WITHIN_S)
        finally:
            if broker.child:
                broker.child.kill()
        if not part.is_file():
            raise LocalError("Java wrote no archive.")
        part.rename(target)


def _with_bar(console: Console) -> Path:
    columns = (TextColumn("Kafka"), BarColumn(), MofNCompleteColumn(), TextColumn("jars"), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("jars", total=None, visible=False)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        return fetch(console.print, progress)


def _with_lines(console: Console) -> Path:
    return fetch(console.print, jars.lines(console.print))


def main() -> None:
    """Fetch, with a progress bar on a terminal and plain lines elsewhere."""
    parser = argparse.ArgumentParser(
        prog="python -m duly_local.fetch",
        description=__doc__,
        epilog="The cache is DULY_CACHE_DIR, else XDG_CACHE_HOME/duly, else ~/.cache/duly.",
    )
    parser.parse_args()
    console = Console(soft_wrap=True, highlight=False)
    try:
        place = _with_bar(console) if console.is_terminal else _with_lines(console)
    except LocalError as error:
        sys.exit(str(error))
    console.print(f"Apache Kafka {jars.VERSION} is in {place}.")


if __name__ == "__main__":
    main()
