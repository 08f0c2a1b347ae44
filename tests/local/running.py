"""What the tests of the one-machine stack share: looking at processes from outside, and a stack to be killed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from duly_local import waiting

GONE_WITHIN_S = 10.0

PARENT = """
import json, signal, sys
from pathlib import Path
from duly_local.stack import Stack

options = json.loads(sys.argv[2])
stack = Stack(Path(sys.argv[1]), **options)
endpoints = stack.start()
print(json.dumps({"pids": stack.pids, "kafka": endpoints.kafka_bootstrap, "database": endpoints.database_url}))
sys.stdout.flush()
signal.pause()
"""


@dataclass(frozen=True)
class Doomed:
    """A stack in a process of its own."""

    parent: "subprocess.Popen[str]"
    pids: dict[str, int]
    kafka: str
    database: str

    def kill_all(self) -> None:
        for pid in (*self.pids.values(), self.parent.pid):
            os.kill(pid, signal.SIGKILL)
        self.parent.wait()

    def kill_parent(self) -> None:
        self.parent.kill()
        self.parent.wait()


@contextmanager
def doomed(state: Path, **options: bool) -> Iterator[Doomed]:
    command = [sys.executable, "-c", PARENT, str(state), json.dumps(options)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            said = json.loads(parent.stdout.readline())
            yield Doomed(parent, said["pids"], said["kafka"], said["database"])
        finally:
            parent.kill()


def living(state: Path) -> list[str]:
    """Return every process that works in this folder or names it, found without the code under test."""
    found = []
    for process in psutil.process_iter():
        try:
            words = [process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(state) in word for word in words):
            found.append(f"{process.pid} {words[1:3]}")
    return found


def none_lives(state: Path) -> bool:
    return waiting.until(lambda: not living(state), within_s=GONE_WITHIN_S)
