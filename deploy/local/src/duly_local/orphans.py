"""End what an earlier run of exactly this state folder left behind; nothing else, ever.

A killed postmaster leaves busy backends that hold the shared memory, and the next start fails until they are
gone. Who belongs to the folder is read from /proc: the working directory of PostgreSQL's processes, the command
line of the broker and of the inbox. Where there is no /proc nothing is ended;
`postgres` then starts again until its data folder is free.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from duly_local import waiting
from duly_local.errors import LocalError
from duly_local.places import State

PROC = Path("/proc")
ASK_WITHIN_S = 5.0
KILL_WITHIN_S = 5.0


def end(state: State) -> list[int]:
    """End the left-over processes and return their ids: first as their program likes it, then by force."""
    found = list(find(state))
    for pid, how in found:
        _send(pid, how)
    if not waiting.until(lambda: not list(find(state)), within_s=ASK_WITHIN_S):
        for pid, _ in find(state):
            _send(pid, signal.SIGKILL)
        if not waiting.until(lambda: not list(find(state)), within_s=KILL_WITHIN_S):
            left = ", ".join(str(pid) for pid, _ in find(state))
            raise LocalError(f"Left-over processes of {state.root} could not be ended: {left}. End them first.")
    return [pid for pid, _ in found]


def find(state: State) -> Iterator[tuple[int, signal.Signals]]:
    """Yield each left-over process with the signal that ends it soonest without loss."""
    if not PROC.is_dir():
        return
    for folder in PROC.iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            how = _ending(folder, state)
        except OSError:  # it ended meanwhile, or belongs to somebody else
            continue
        if how:
            yield int(folder.name), how


def _ending(process: Path, state: State) -> signal.Signals | None:
    program = process.joinpath("exe").readlink().name.removesuffix(" (deleted)")
    if program == "postgres":
        ours = process.joinpath("cwd").readlink().is_relative_to(state.postgres)
        return signal.SIGQUIT if ours else None
    arguments = process.joinpath("cmdline").read_bytes().split(b"\0")
    if program == "java":
        ours = any(_is_below(argument, state.kafka) for argument in arguments)
        return signal.SIGTERM if ours else None
    ours = b"duly_local.inbox" in arguments and os.fsencode(state.mails) in arguments
    return signal.SIGTERM if ours else None


def _is_below(argument: bytes, folder: Path) -> bool:
    return argument.endswith(b".properties") and Path(os.fsdecode(argument)).is_relative_to(folder)


def _send(pid: int, how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, how)
