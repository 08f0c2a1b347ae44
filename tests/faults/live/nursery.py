"""A process that has imported the services once and forks each life from there.

A life is a process of its own all the same: session, environment, output, ports, connections, and a SIGKILL that
nobody softens. Only the seconds of importing are spared, which else are most of what a campaign of many lives costs.
Runs as `python -m tests.faults.live.nursery MODULE...`: orders come as lines of JSON, answers go the same way.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.faults.live.place import environment
from tests.faults.live.tied import PR_SET_PDEATHSIG
from tests.faults.live.tied import __file__ as tied
from tests.faults.processes import PROJECT

LOOK_S = 0.02
BORN_WITHIN_S = 120.0  # the first one waits for the imports
READ_BYTES = 65_536


class Child:
    """One life, asked about as one asks a Popen."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self._nursery = nursery
        self.pid = pid

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it lives."""
        return self._nursery.code_of(self.pid)


class Nursery:
    """The rig's side: starts lives and hears of their ends."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", tied, str(os.getpid()), sys.executable, "-m", __name__, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=PROJECT,
            env=environment({}),
        )
        self._unread = b""
        self._born: list[int] = []
        self._codes: dict[int, int] = {}

    def start(self, module: str, words: Sequence[str], settings: Mapping[str, str], out: Path, err: Path) -> Child:
        """Begin a life: `python -m module words`, with these settings; raises TimeoutError."""
        order = {"module": module, "words": list(words), "environment": environment(dict(settings))}
        assert self._process.stdin is not None
        line = json.dumps({**order, "out": str(out), "err": str(err)})
        self._process.stdin.write(line.encode("ascii") + b"\n")
        self._process.stdin.flush()
        while not self._born:
            if not self._hear(BORN_WITHIN_S):
                raise TimeoutError("the nursery gives no life")
        child = Child(self, self._born.pop())
        self._codes.pop(child.pid, None)  # the number may have been another's
        return child

    def code_of(self, pid: int) -> int | None:
        """Return how a life ended, if it did."""
        while self._hear(0):
            pass
        return self._codes.get(pid)

    def close(self) -> None:
        """End it, and every life with it."""
        with self._process:  # which waits, and closes what it was spoken to through
            self._process.kill()

    def _hear(self, within_s: float) -> bool:
        """Read what it says, for so long; tell whether it said anything."""
        assert self._process.stdout is not None
        number = self._process.stdout.fileno()
        if not select.select([number], [], [], within_s)[0]:
            return False
        more = os.read(number, READ_BYTES)
        *lines, self._unread = (self._unread + more).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "code" in told:
                self._codes[told["pid"]] = told["code"]
            else:
                self._born.append(told["pid"])
        return bool(more)


def main(modules: Sequence[str]) -> None:
    """Import, then fork at each order and tell of each end, until nobody orders any more."""
    for module in modules:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # what is shared stays shared
    unread = b""
    while True:
        if select.select([0], [], [], LOOK_S)[0]:
            more = os.read(0, READ_BYTES)
            if not more:
                return
            *orders, unread = (unread + more).split(b"\n")
            for order in orders:
                _say(pid=_fork(json.loads(order)))
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                _say(pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))


def _say(**told: int) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def _fork(order: Mapping[str, Any]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _become(order, parent)
        sys.argv = [order["module"], *order["words"]]
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as told:
        code = told.code if isinstance(told.code, int) else int(told.code is not None)
    except BaseException:  # noqa: BLE001 - the last words of a process, as the interpreter would write them
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # a program may have closed them
                stream.flush()
        os._exit(code)


def _become(order: Mapping[str, Any], parent: int) -> None:
    """Be a process of one's own, which dies with the nursery."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(path, flags, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(order["environment"])


if __name__ == "__main__":
    main(sys.argv[1:])
