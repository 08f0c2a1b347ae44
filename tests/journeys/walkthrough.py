"""Walks through a page of documentation as a reader would: every command in order, every answer as it is shown."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from duly_local import waiting
from tests.journeys.command import READY, READY_WITHIN_S

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ANYTHING = "…"
SHOWN_WITHIN_S = 60.0
COMMAND_S_MAX = 120.0


@dataclass(frozen=True)
class Block:
    """One fenced block: commands (`sh`), or what the last of them answers (`text`)."""

    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Its commands, one per line; a line that ends in a backslash goes on."""
        return [one for one in self.text.replace("\\\n", " ").splitlines() if one.strip() and one[0] != "#"]

    @property
    def keeps_running(self) -> bool:
        """Whether a reader would give it a terminal of its own."""
        return any(one.endswith("duly up") for one in self.commands)


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    return [Block(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def as_shown(answer: str, shown: str) -> bool:
    """Tell whether an answer is what the page shows; … stands for anything, over lines too where it stands alone."""
    lines = [".*" if line.strip() == ANYTHING else _line(line) for line in shown.strip().splitlines()]
    return re.search("\n".join(lines).replace("\n.*", "(?:\n.*)*").removeprefix(".*\n"), answer) is not None


def _line(line: str) -> str:
    return "[^\n]*".join(re.escape(part) for part in line.split(ANYTHING))


class Reader:
    """A shell in a folder, with what the reader has exported so far."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._exported: list[str] = []
        self.running: subprocess.Popen[bytes] | None = None

    def run(self, commands: Sequence[str]) -> str:
        """Run these commands and return what they say; raises AssertionError where one fails."""
        self._exported += [one for one in commands if one.startswith("export ")]
        script = "\n".join([*self._exported, *(one for one in commands if not one.startswith("export "))])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_S_MAX,
        )
        assert done.returncode == 0, f"{script}\nended with {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def see(self, command: str, answer: str, shown: str) -> None:
        """Hold an answer against what is shown, and ask again until it fits: what was told is still on its way."""
        if as_shown(answer, shown):
            return
        answers: list[str] = []

        def right() -> bool:
            answers.append(self.run([command]))
            return as_shown(answers[-1], shown)

        assert waiting.until(right, within_s=SHOWN_WITHIN_S), f"{command} shows\n{answers[-1]}\ninstead of\n{shown}"

    def start(self, commands: Sequence[str]) -> None:
        """Start what keeps running, and wait until it says that it does."""
        if self.running is not None:
            self.running.wait(timeout=READY_WITHIN_S)  # the page has ended it
        out = self._folder / "up.out"
        with out.open("wb") as stream:
            self.running = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", "\n".join([*self._exported, *commands])],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started = waiting.until(lambda: READY in out.read_text("utf-8"), within_s=READY_WITHIN_S)
        assert started, out.read_text("utf-8")

    def end(self) -> None:
        """End what still runs, as Ctrl-C in its terminal would."""
        if self.running is not None and self.running.poll() is None:
            os.killpg(self.running.pid, signal.SIGINT)
            self.running.wait(timeout=READY_WITHIN_S)


@contextmanager
def reader(folder: Path, environment: dict[str, str]) -> Iterator[Reader]:
    """Return a reader whose terminals are closed in the end."""
    walking = Reader(folder, environment)
    try:
        yield walking
    finally:
        walking.end()


def walk(page: Path, walking: Reader, left_out: Sequence[str]) -> int:
    """Walk through a page; return how many commands were run, those beginning with `left_out` not among them."""
    number, last, answer = 0, "", ""
    for block in blocks(page):
        commands = [one for one in block.commands if not one.startswith(tuple(left_out))]
        if block.language == "text":
            walking.see(last, answer, block.text)
        elif block.language == "sh" and block.keeps_running:
            walking.start(commands)
            number += len(commands)
        elif block.language == "sh" and commands:
            answer = walking.run(commands)
            number, last = number + len(commands), commands[-1]
    return number
