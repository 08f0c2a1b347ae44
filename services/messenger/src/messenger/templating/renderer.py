"""Rendering from the parent's side: one child process, started at start, reused, and put in its place on a breach.

What a child is killed for is one message's fault; a child that somebody else killed is nobody's, the first time.
"""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

from jinja2 import TemplateError

from duly_chassis.logs import log
from messenger.counts import Counts
from messenger.templating.files import Wording
from messenger.templating.render_child import JOB_BYTES_MAX, LENGTH, MEMORY, OUTPUT, READY
from messenger.templating.sandbox import Compiled, Oversize, Rendered
from messenger.words.unsendable import Breach, Later, TooLarge, Unsendable

ANSWER_WITHIN_S = 3.0  # of the machine clock, for a job that may take a second of processor time
START_WITHIN_S = 3.0
END_WITHIN_S = 1.0
AWAY_S = 60  # of the business clock, until a message is tried again when no child can be had
KILLED_OVER_MAX = 1_000
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "SYSTEMROOT")
"""What the child's environment keeps: no setting of ours, and so no password."""
COMMAND = (sys.executable, "-m", "messenger.templating.render_child")
BY_SIGNAL = {int(signal.SIGPROF): "cpu", int(signal.SIGXCPU): "cpu"}
LOG = log("renderer")


class Renderer(Protocol):
    """Renders a wording; raises Unsendable for what is wrong with this message, or Later."""

    async def render(self, wording: Wording, words: Mapping[str, Any]) -> Rendered:
        """Return what the wording says with these words."""


class HereRenderer:
    """Renders in this process: for wordings whose load has just been proven, in checks, previews and tests."""

    def __init__(self) -> None:
        self._known: dict[str, Compiled] = {}

    async def render(self, wording: Wording, words: Mapping[str, Any]) -> Rendered:
        """Return what the wording says with these words."""
        return self.now(wording, words)

    def now(self, wording: Wording, words: Mapping[str, Any]) -> Rendered:
        """Return the same without waiting; raises TooLarge or Unsendable."""
        try:
            if wording.key not in self._known:
                self._known[wording.key] = Compiled.of(wording.sources)
            return self._known[wording.key].render(words)
        except Oversize:
            raise TooLarge from None
        except (TemplateError, TypeError):
            raise Unsendable("template_failed") from None


class Died(Exception):
    """The child ended before it answered; `wall` says which limit it met, or that somebody else ended it."""

    def __init__(self, wall: str) -> None:
        super().__init__(wall)
        self.wall = wall


class ChildRenderer:
    """Renders in a child process of its own; one job at a time."""

    def __init__(self, counts: Counts, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._process: Process | None = None
        self._counts = counts
        self._knows: set[str] = set()
        self._turn = asyncio.Lock()
        self._killed_over: set[int] = set()

    @property
    def pid(self) -> int | None:
        """The child's process id, while one runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def ready(self) -> None:
        """Have a child that runs; raises Later where none can be started."""
        async with self._turn:
            await self._child()

    async def render(self, wording: Wording, words: Mapping[str, Any]) -> Rendered:
        """Return what the wording says; raises TooLarge, Breach, Unsendable, or Later when no child can be had."""
        job: dict[str, Any] = {"key": wording.key, "words": words}
        async with self._turn:
            process = await self._child()
            if wording.key not in self._knows:
                job["sources"] = [wording.sources.subject, wording.sources.text, wording.sources.html]
            try:
                answer = await self._asked(process, job)
            except Died as died:
                raise self._blamed(wording, died.wall, hash(json.dumps(words, sort_keys=True))) from None
            self._knows.add(wording.key)
            if answer.get("wrong") == MEMORY:
                await self._end()  # it ends itself: what is left of it is not to be trusted
        match answer:
            case {"said": [str(subject), str(text), str(html)]}:
                return Rendered(subject, text, html)
            case {"wrong": wrong} if wrong in {OUTPUT, MEMORY}:
                breach = self._breach(wording, wrong)
                raise breach if wrong == MEMORY else TooLarge
            case _:
                raise Unsendable("template_failed")

    async def close(self) -> None:
        """End the child: its input ends, and so does it."""
        async with self._turn:
            await self._end()

    def _blamed(self, wording: Wording, wall: str, words: int) -> Unsendable:
        """Say whose fault the end was; a child that ends twice over the same words did not end by chance."""
        chance = wall in {"killed", "time"} and words not in self._killed_over
        if len(self._killed_over) >= KILLED_OVER_MAX:
            self._killed_over.clear()
        self._killed_over.add(words)
        return Later("renderer_killed") if chance else self._breach(wording, wall)

    def _breach(self, wording: Wording, wall: str) -> Breach:
        template = f"{wording.message}/{wording.number}"
        LOG.error("template_breach", wall=wall, template=template, owner=wording.owner)
        self._counts.breaches.labels("messenger", wording.message, wall).inc()
        return Breach(wall, wording.owner, template)

    async def _asked(self, process: Process, job: Mapping[str, Any]) -> Any:
        """Give a job and take its answer; raises Died, and then the child is gone."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                await give(process, job)
                return await taken(process)
        except TimeoutError:
            await self._end(at_once=True)
            raise Died("time") from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            raise Died(await self._end()) from None
        except BaseException:  # stopped in the middle: the answer would be taken for that of the next job
            await self._end(at_once=True)
            raise

    async def _child(self) -> Process:
        """Return the child that runs, or a new one; raises Later."""
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._end()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in KEPT if name in os.environ},
            )
            self._counts.starts.labels("messenger").inc()
            self._knows.clear()
            async with asyncio.timeout(START_WITHIN_S):
                ready = await taken(self._process)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            LOG.error("renderer_unstarted", error=type(error).__name__)  # noqa: TRY400 - the class says it all
            await self._end(at_once=True)
            raise Later("renderer_away", after_s=AWAY_S) from None
        except BaseException:
            await self._end(at_once=True)
            raise
        if ready != READY:
            await self._end(at_once=True)
            raise Later("renderer_away", after_s=AWAY_S)
        return self._process

    async def _end(self, *, at_once: bool = False) -> str:
        """End the child, by force where its closed input is not enough, and say which wall it met."""
        process, self._process = self._process, None
        if process is None:
            return ""
        if process.stdin is not None:
            process.stdin.close()
        if not at_once:
            with suppress(TimeoutError):
                async with asyncio.timeout(END_WITHIN_S):
                    await process.wait()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return BY_SIGNAL.get(-(process.returncode or 0), "killed")


async def give(process: Process, job: Mapping[str, Any]) -> None:
    """Write one job; raises ConnectionError when the child is gone."""
    if process.stdin is None:
        raise ConnectionError
    body = json.dumps(job).encode()
    process.stdin.write(LENGTH.pack(len(body)) + body)
    await process.stdin.drain()


async def taken(process: Process) -> Any:
    """Read one answer; raises IncompleteReadError when the child is gone, ValueError for what is no answer."""
    if process.stdout is None:
        raise ConnectionError
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    if length > JOB_BYTES_MAX:
        raise ValueError("answer_too_long")
    return json.loads(await process.stdout.readexactly(length))
