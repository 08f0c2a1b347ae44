"""Start what a campaign needs, and find every process of a running replay to kill it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.faults.plan import Shares
from tests.faults.vendors import lies as vendors

PROJECT = Path(__file__).resolve().parents[2]
MARK = "FAULT_CAMPAIGN_MARK"
"""Stands in the environment of the replay, and so of whatever it starts and does not wash."""

POINTS_ELSEWHERE = ("DULY_KAFKA_BOOTSTRAP", "DULY_DATABASE_URL", "DULY_SMTP_URL")
"""Settings that would take the replay's servers out of its state folder, and out of our reach."""


def duly_beside_python() -> str:
    """Name the command `duly` of this environment."""
    return str(Path(sys.executable).with_name("duly"))


def replay_command(duly: Sequence[str], folder: Path, port: int, state: Path, channel: str = "mail") -> list[str]:
    """Write the command line of a replay that can be continued."""
    late = ("--late", str(vendors.LATE_S))
    to = {
        "mail": ("--smtp", f"smtp://127.0.0.1:{port}"),
        "slack": ("--channel", "slack", "--slack", f"http://127.0.0.1:{port}", *late),
        "sms": ("--channel", "sms", "--twilio", f"http://127.0.0.1:{port}", *late),
    }
    return [*duly, "replay", "oulad", str(folder), *to[channel], "--state", str(state), "--json"]


def start_replay(command: Sequence[str], out: Path, err: Path, mark: str = "") -> subprocess.Popen[bytes]:
    """Start a replay in a session of its own, with its output in two files."""
    environment = {name: value for name, value in os.environ.items() if name not in POINTS_ELSEWHERE}
    with out.open("wb") as stdout, err.open("wb") as stderr:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            cwd=PROJECT,
            env=environment | {MARK: mark},
            start_new_session=True,
        )


@contextmanager
def smtp_server(log: Path, seed: int = 1, shares: Shares | None = None, *more: str) -> Iterator[int]:
    """Run the SMTP server beside the test and give its port; honest unless told otherwise."""
    lies = shares or Shares()
    command = [sys.executable, "-m", "tests.faults.smtp", "--log", str(log), "--seed", str(seed)]
    command += ["--refuse-percent", str(lies.refuse)]
    command += ["--cut-before-percent", str(lies.cut_before), "--cut-after-percent", str(lies.cut_after)]
    command += ["--refuse-good-percent", str(lies.refuse_good), "--drip-percent", str(lies.drip)]
    command += [*(("--tls", "--tls-percent", str(lies.tls)) if lies.tls else ()), *more]
    with _serving(command) as port:
        yield port


@contextmanager
def vendor_server(channel: str, log: Path, seed: int, shares: vendors.Shares) -> Iterator[int]:
    """Run a lying Slack or Twilio beside the test and give its port."""
    vendor = {"slack": "slack", "sms": "twilio"}[channel]
    command = [sys.executable, "-m", "tests.faults.vendors", vendor, "--log", str(log), "--seed", str(seed)]
    command += ["--limit-percent", str(shares.limit), "--error-percent", str(shares.error)]
    command += ["--cut-percent", str(shares.cut), "--asking-percent", str(shares.asking)]
    command += ["--late-percent", str(shares.late)]
    with _serving(command) as port:
        yield port


@contextmanager
def dealing_server(vendor: str, port: int, log: Path, deck: Path, late_s: Sequence[float]) -> Iterator[int]:
    """Run a lying provider that deals each message the fault of its deck."""
    command = [sys.executable, "-m", "tests.faults.vendors", vendor, "--port", str(port), "--log", str(log)]
    command += ["--deck", str(deck), "--late-s", *map(str, late_s)]
    with _serving(command) as given:
        yield given


@contextmanager
def _serving(command: Sequence[str]) -> Iterator[int]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT) as server:
        assert server.stdout is not None
        try:
            yield int(json.loads(server.stdout.readline())["port"])
        finally:
            server.terminate()
            server.wait(timeout=10)


def running(replay: subprocess.Popen[bytes], state: Path, mark: str) -> list[psutil.Process]:
    """Find every process of a replay: by descent, by its mark, and by the state folder it works in.

    None of the three is enough: the broker has a session of its own, PostgreSQL's backends name no folder in
    their command line, and the children of a killed parent belong to nobody.
    """
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    if replay.poll() is None:  # once it is reaped its number may be a stranger's
        with suppress(psutil.NoSuchProcess):
            top = psutil.Process(replay.pid)
            found = {process.pid: process for process in (top, *top.children(recursive=True))}
    for process in psutil.process_iter():
        if process.pid not in ours and process.pid not in found and _belongs(process, state, mark):
            found[process.pid] = process
    return [process for process in found.values() if _alive(process)]


def kill_all(replay: subprocess.Popen[bytes], state: Path, mark: str, within_s: float = 20) -> int:
    """Kill every process of a replay with -9, until none is found; give the number, or fail."""
    killed: set[int] = set()
    deadline = time.monotonic() + within_s
    while left := running(replay, state, mark):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
            killed.add(process.pid)
        with suppress(subprocess.TimeoutExpired):
            replay.wait(timeout=1)  # the others are init's to reap
        psutil.wait_procs([process for process in left if process.pid != replay.pid], timeout=0.2)
        if time.monotonic() > deadline:
            raise TimeoutError(f"still running after kill -9: {left}")
    replay.wait(timeout=within_s)
    return len(killed)


def _belongs(process: psutil.Process, state: Path, mark: str) -> bool:
    with suppress(psutil.Error, OSError):
        if mark and process.environ().get(MARK) == mark:
            return True
    with suppress(psutil.Error, OSError):
        if Path(process.cwd()).is_relative_to(state):
            return True
    with suppress(psutil.Error, OSError):
        return any(str(state) in argument for argument in process.cmdline())
    return False


def _alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
