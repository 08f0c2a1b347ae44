"""Builds a running service from its description: FastStream around it, loops beside it, an orderly end."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from faststream.asgi import AsgiFastStream
from faststream.kafka import KafkaBroker

from duly_chassis import brakes, due, purge, retry, revisions
from duly_chassis.clock import Clock
from duly_chassis.consumer import Consumer
from duly_chassis.database import Database
from duly_chassis.doors import Doors
from duly_chassis.epochs import Epochs
from duly_chassis.faults import Fault, fault, label
from duly_chassis.gauges import Gauges
from duly_chassis.health import Health, Progress, Reachable
from duly_chassis.lane import Lanes
from duly_chassis.letter_routes import LetterRoutes
from duly_chassis.logs import log
from duly_chassis.loops import Supervised
from duly_chassis.metrics import Metrics
from duly_chassis.pulse import Pulse
from duly_chassis.relay import Relay
from duly_chassis.replays import Replays
from duly_chassis.routes import Routes
from duly_chassis.scrape import Scrape
from duly_chassis.service import Context, Loop, Service, Step
from duly_chassis.settings import ServiceSettings
from duly_chassis.traces import Traces, from_environment
from duly_chassis.wake import Wake

EPOCH_INTERVAL_S = 30.0
METADATA_AGE_MS_MAX = 10_000
"""So soon a consumer sees topics that were not there when it joined its group, as after a rebuilt broker; with the
client's own 5 minutes it sat without partitions for as long (campaign C3)."""
LOG = log("host")


class Host:
    """One service, wired: `app` is what an ASGI server or `faststream run` serves."""

    def __init__(
        self,
        service: Service[Any],
        settings: ServiceSettings,
        clock: Clock,
        traces: Traces | None = None,
        one_alone: asyncio.Lock | None = None,
    ) -> None:
        # `one_alone` is shared by the services of one process: of two records begun alone, one would be blamed wrongly.
        self.service = service
        self.settings = settings
        self.clock = clock
        self.metrics = Metrics(service.name)
        self.traces = traces or from_environment(service.name)
        self.database = Database(settings)
        self._lanes = Lanes(service, self.database, clock, self.metrics, self.traces)
        self._epochs = Epochs(service, settings, self.database)
        self._consumer = Consumer(
            service, settings, self._epochs, self._lanes, self.metrics, one_alone or asyncio.Lock()
        )
        self._relay = Relay(settings, self.database, self.metrics)
        self._wakes: list[Wake] = []
        self._by_facts: list[Wake] = []
        self._started = False
        self.public_address = ""
        """Where hooks are served, while they are."""
        self.failure: Exception | None = None
        """Why the service could not start, once it has given up."""
        broker = KafkaBroker(
            settings.kafka_bootstrap,
            client_id=f"duly-{service.name}",
            logger=None,
            graceful_timeout=5,
            metadata_max_age_ms=METADATA_AGE_MS_MAX,
        )
        self._subscriber: Any = self._consumer.subscribe(broker) if service.topics else None
        self._purge = purge.step(service, settings, self.database)
        self._loops = self._supervised()
        self._consumer.committed = [self.applied]
        clock.on_move(self.woken)
        progress = Progress(self._subscriber) if self._subscriber else Reachable(broker)
        self.health = Health(
            self._loops,
            self.database,
            self._consumer,
            self._lanes,
            progress,
            self.metrics,
            lambda: self._started,
        )
        gauges = Gauges(service.gauges, self.database, clock, self.metrics)
        scrape = Scrape(self.metrics, gauges, self.health, progress)
        replays = Replays(service, self.database, clock, self.metrics)
        letters = LetterRoutes(service.name, self.database, replays, self.woken)
        routes = Routes(service, settings, self.database, self.health, scrape, clock, self.woken, self.traces, letters)
        self.doors = Doors(service, self.database, clock, self.metrics, self.woken, self.traces)
        self.app = AsgiFastStream(
            broker,
            logger=None,
            lifespan=self._lifespan,
            on_shutdown=[self._stop_taking],
            after_startup=[self._start_loops],
            asgi_routes=routes.table(),
        )

    def woken(self) -> None:
        """Have every loop look for work now: rows may be due, events may wait."""
        for wake in self._wakes:
            wake.set()

    def applied(self) -> None:
        """Have the loops look for which facts may have made work; each idle look is a transaction, so no others."""
        for wake in self._by_facts:
            wake.set()

    def _supervised(self) -> list[Supervised]:
        """Name the loops in the order in which they are stopped."""
        service, settings = self.service, self.settings
        timers = [
            Loop(
                when.name,
                partial(due.step, service, when, batch_max=settings.due_batch_max),
                settings.tick_interval_s,
                by_time=when.by_time,
            )
            for when in service.timers
        ]
        own = (
            Loop("epochs", self._looking, EPOCH_INTERVAL_S, woken=False),
            Loop("purge", lambda _context: self._purge, purge.INTERVAL_S, woken=False),
            Loop("relay", self._relay.started, settings.tick_interval_s, self._relay.close),
        )
        return [self._supervise(loop) for loop in (*timers, *service.loops, *own)]

    def _supervise(self, loop: Loop) -> Supervised:
        wake, pulse = Wake(), Pulse()
        if loop.woken:
            self._wakes.append(wake)
        if loop.woken and not loop.by_time:
            self._by_facts.append(wake)
        context = Context(
            self.database,
            self.clock,
            self.metrics,
            wake,
            self.woken,
            self._relay.nudge,
            self.service.source,
            pulse.beat,
            self.traces,
        )
        return Supervised(loop.name, loop.step(context), wake, loop.interval_s, self.metrics, loop.close, pulse)

    @asynccontextmanager
    async def _lifespan(self) -> AsyncIterator[None]:
        """Before the first record: database, policies, epoch. After the last: loops and pool, within the deadline."""
        await self.database.open()
        try:
            await self._make_ready()
            yield
        finally:
            deadline = time.monotonic() + self.settings.stop_deadline_s
            for loop in self._loops:
                await loop.stop(max(0.5, deadline - time.monotonic()))
            await self.database.close()
            await self.traces.close(max(0.5, deadline - time.monotonic()))

    async def _make_ready(self) -> None:
        """Prepare, waiting while a server is away; what waiting cannot mend ends the start and is kept in `failure`."""
        try:
            await retry.in_place(self._prepare, self._can_wait, self._failed)
        except Exception as error:
            self.failure = error
            raise

    def _can_wait(self, error: BaseException) -> bool:
        return not self._consumer.stopping and fault(error) in (Fault.WORLD, Fault.DEPLOYMENT)

    async def _prepare(self) -> None:
        await revisions.verify(self.database, self.service.name, self.service.chain)
        if self.service.prepare is not None:
            async with self.database.transaction() as connection:
                tx = self.service.work(connection)
                await self.service.prepare(tx)
        await self._verify_epoch()

    def _looking(self, context: Context) -> Step:
        """Look now and then, and as soon as partitions were given anew: so it is after a broker that was rebuilt."""
        self._consumer.assigned = context.wake.set

        async def look() -> bool:
            await self._verify_epoch()
            await self._consumer.look_back()
            return False

        return look

    async def _verify_epoch(self) -> None:
        """Look at the log and at the brakes; the consumer itself waits for a release, so that HTTP can bring it."""
        await self._epochs.verify()
        async with self.database.transaction() as connection:
            held = await brakes.held(connection)
        self._consumer.holding.by = held[0][0] if held else None

    async def _start_loops(self) -> None:
        for loop in self._loops:
            loop.start()
        gc.collect()
        gc.freeze()  # what is imported and wired stays: the collector need not walk it with every batch
        self._started = True

    async def _stop_taking(self) -> None:
        self._consumer.stopping = True

    def _failed(self, error: BaseException, attempt: int) -> None:
        LOG.warning("start_waits", service=self.service.name, error=label(error), attempt=attempt)
