"""`python -m duly_chassis.run reminders`: one service in a process of its own, with nothing but its own packages.

What an image runs; where one service is installed alone, it needs no name. It waits for servers that are away, ends in
order on SIGTERM, and says in a line what keeps it from starting. Exit codes: 0 ended as told, 1 failed, 2 settings.
"""

import argparse
import asyncio
import sys

from duly_chassis import crash, entries, serving
from duly_chassis.clock import SystemClock
from duly_chassis.logs import configure, log
from duly_chassis.plain import Misset, PlainError
from duly_chassis.service import Entry
from duly_chassis.settings import ServiceSettings

FAILED, MISSET = 1, 2
LOG = log("run")


async def serve(entry: Entry, settings: ServiceSettings) -> None:
    """Run until a signal comes; raises Unstarted. Readiness is for whoever asks over HTTP, not awaited here."""
    ending = serving.Ending()
    try:
        async with serving.together([(entry, settings)], SystemClock()):
            ending.started()
            await ending.told()
            LOG.info("service_stops", service=entry.name)
    except asyncio.CancelledError:
        LOG.info("start_cut", service=entry.name)


def main() -> None:
    """Read the command line and the settings, and serve."""
    parser = argparse.ArgumentParser(prog="python -m duly_chassis.run", description=__doc__)
    parser.add_argument("service", nargs="?", default="", help="the service's name, for example reminders")
    name = parser.parse_args().service
    try:
        crash.arm()
        entry = entries.named(name or _only())
        settings = serving.settings_of(entry, {})
        configure(settings.log_level)
        asyncio.run(serve(entry, settings))
    except Misset as error:
        _end(error, MISSET)
    except PlainError as error:
        _end(error, FAILED)


def _only() -> str:
    """Name the service that is installed alone; raises UnknownService."""
    names = entries.names()
    if len(names) != 1:
        raise entries.UnknownService(f"name one service; there are: {', '.join(names) or 'none'}")
    return names[0]


def _end(error: PlainError, code: int) -> None:
    sys.stderr.write(f"{error}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
