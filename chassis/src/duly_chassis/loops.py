"""Background loops under a supervisor: it catches all, backs off, starts again, and knows when each last lived."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from duly_chassis import retry
from duly_chassis.faults import label
from duly_chassis.logs import log
from duly_chassis.metrics import Metrics
from duly_chassis.pulse import Pulse
from duly_chassis.service import Step, Troubled
from duly_chassis.wake import Wake

HEARTBEAT_DEADLINE_S = 60
BEAT_EVERY_S = 15
LOG = log("loops")


class Supervised:
    """One loop: its task, its heartbeat, and what troubles it now."""

    def __init__(
        self,
        name: str,
        step: Step,
        wake: Wake,
        interval_s: float,
        metrics: Metrics,
        close: Callable[[], Awaitable[None]] | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self.name = name
        self.trouble: str | None = None
        self._said: str | None = None
        self._step = step
        self._wake = wake
        self._interval_s = interval_s
        self._metrics = metrics
        self._close = close
        self._stopping = False
        self._pulse = pulse or Pulse()
        self._task: asyncio.Task[None] | None = None

    @property
    def age_s(self) -> float:
        """Seconds since the loop last showed life (machine clock)."""
        return self._pulse.age_s

    @property
    def alive(self) -> bool:
        """Whether the task runs and its heartbeat is young enough."""
        return self._task is not None and not self._task.done() and self.age_s < HEARTBEAT_DEADLINE_S

    def start(self) -> None:
        """Begin to run."""
        self._task = asyncio.create_task(self._run(), name=f"{self._metrics.service}:{self.name}")

    async def stop(self, deadline_s: float) -> None:
        """Let the round in hand finish within the deadline, then cut it: what it left is picked up as after a crash."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=deadline_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._close is not None:
            await self._close()

    async def _run(self) -> None:
        while not self._stopping:
            more = await retry.in_place(self._round, self._worth_it, self._failed)
            self.trouble = self._said
            if not more and not self._stopping:
                await self._pause()

    async def _pause(self) -> None:
        """Wait for a nudge or for the interval, showing life: a loop may rest for longer than a heartbeat."""
        until_s = time.monotonic() + self._interval_s
        woken = False
        while not woken and (left_s := until_s - time.monotonic()) > 0:
            self._pulse.beat()
            woken = await self._wake.wait(min(left_s, BEAT_EVERY_S))

    async def _round(self) -> bool:
        self._pulse.beat()
        began_s = time.monotonic()
        try:
            more, self._said = await self._step(), None
        except Troubled as troubled:
            more, self._said = False, str(troubled)
        finally:
            self._pulse.beat()
            lasted_s = time.monotonic() - began_s
            self._metrics.loop_seconds.labels(self._metrics.service, self.name).observe(lasted_s)
        return more

    def _worth_it(self, _error: BaseException) -> bool:
        return not self._stopping

    def _failed(self, error: BaseException, attempt: int) -> None:
        self.trouble = label(error)
        self._metrics.retries.labels(self._metrics.service, self.name, self.trouble).inc()
        LOG.warning("loop_failed", service=self._metrics.service, loop=self.name, error=self.trouble, attempt=attempt)
