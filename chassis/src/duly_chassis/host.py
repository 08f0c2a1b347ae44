"""Builds a running service from its description: FastStream around it, loops beside it, an orderly end."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from faststream.asgi import AsgiFastStream
from faststream.kafka import KafkaBroker
from prometheus_client import generate_latest

from duly_chassis import brakes, due, outbox, purge, retry, web
from duly_chassis.clock import Clock
from duly_chassis.consumer import Consumer
from duly_chassis.database import Database
from duly_chassis.epochs import Epochs
from duly_chassis.faults import Fault, fault, label
from duly_chassis.health import Finding, Health, Progress
from duly_chassis.lane import Lanes
from duly_chassis.logs import log
from duly_chassis.loops import Supervised
from duly_chassis.metrics import Metrics
from duly_chassis.relay import Relay
from duly_chassis.service import Act, Answer, Context, Service
from duly_chassis.settings import ServiceSettings
from duly_chassis.wake import Wake

EPOCH_INTERVAL_S = 30.0
LOG = log("host")


class Host:
    """One service, wired: `app` is what an ASGI server or `faststream run` serves."""

    def __init__(self, service: Service[Any], settings: ServiceSettings, clock: Clock) -> None:
        self.service = service
        self.settings = settings
        self.clock = clock
        self.metrics = Metrics(service.name)
        self.database = Database(settings)
        self._lanes = Lanes(service, self.database, clock, self.metrics)
        self._epochs = Epochs(service, settings, self.database)
        self._consumer = Consumer(service, settings, self._epochs, self._lanes, self.metrics)
        self._relay = Relay(settings, self.database, self.metrics)
        self._relay_wake = Wake()
        self._wakes: list[Wake] = []
        self._started = False
        self.failure: Exception | None = None
        """Why the service could not start, once it has given up."""
        broker = KafkaBroker(
            settings.kafka_bootstrap, client_id=f"duly-{service.name}", logger=None, graceful_timeout=5
        )
        self._subscriber = self._consumer.subscribe(broker)
        self._loops = self._supervised()
        self._consumer.committed = [self.woken]
        clock.on_move(self.woken)
        self.health = Health(
            self._loops,
            self.database,
            self._consumer,
            self._lanes,
            Progress(self._subscriber),
            self.metrics,
            lambda: self._started,
        )
        self.app = AsgiFastStream(
            broker,
            logger=None,
            lifespan=self._lifespan,
            on_shutdown=[self._stop_taking],
            after_startup=[self._start_loops],
            asgi_routes=self._routes(),
        )

    def woken(self) -> None:
        """Have every loop look for work now: rows may be due, events may wait."""
        for wake in (*self._wakes, self._relay_wake):
            wake.set()

    def _supervised(self) -> list[Supervised]:
        """Name the loops in the order in which they are stopped."""
        service, settings, metrics = self.service, self.settings, self.metrics
        loops = []
        for when in service.timers:
            wake = Wake()
            self._wakes.append(wake)
            context = self._context(wake)
            step = due.step(service, when, context, settings.due_batch_max)
            loops.append(Supervised(when.name, step, wake, settings.tick_interval_s, metrics))
        for loop in service.loops:
            wake = Wake()
            if loop.woken:
                self._wakes.append(wake)
            loops.append(
                Supervised(loop.name, loop.step(self._context(wake)), wake, loop.interval_s, metrics, loop.close)
            )
        loops.append(Supervised("epochs", self._verify_epoch, Wake(), EPOCH_INTERVAL_S, metrics))
        loops.append(
            Supervised("purge", purge.step(service, settings, self.database), Wake(), purge.INTERVAL_S, metrics)
        )
        loops.append(
            Supervised(
                "relay",
                self._relay.step,
                self._relay_wake,
                settings.tick_interval_s,
                metrics,
                self._relay.close,
            )
        )
        return loops

    def _context(self, wake: Wake) -> Context:
        return Context(self.database, self.clock, self.metrics, wake, self.woken)

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
        if self.service.prepare is not None:
            async with self.database.transaction() as connection:
                tx = self.service.work(connection)
                await self.service.prepare(tx)
        await self._verify_epoch()

    async def _verify_epoch(self) -> bool:
        """Look at the log and at the brakes; the consumer itself waits for a release, so that HTTP can bring it."""
        await self._epochs.verify()
        async with self.database.transaction() as connection:
            held = await brakes.held(connection)
        self._consumer.held = held[0][0] if held else None
        return False

    async def _start_loops(self) -> None:
        for loop in self._loops:
            loop.start()
        self._started = True

    async def _stop_taking(self) -> None:
        self._consumer.stopping = True

    def _failed(self, error: BaseException, attempt: int) -> None:
        LOG.warning("start_waits", service=self.service.name, error=label(error), attempt=attempt)

    def _routes(self) -> list[tuple[str, web.Asgi]]:
        """Name every HTTP path of the service."""
        token = self.settings.http_token
        return [
            ("/health/live", web.guarded("GET", None, self._live)),
            ("/health/ready", web.guarded("GET", None, self._ready)),
            ("/metrics", self._metrics_route),
            *(
                (path, web.guarded("GET", token, self._answering(answer)))
                for path, answer in self.service.answers.items()
            ),
            *((act.path, web.guarded("POST", token, self._acting(act))) for act in self.service.acts),
            ("/v1/brakes", web.guarded("GET", token, self._brakes)),
            ("/v1/brakes/release", web.guarded("POST", token, self._release)),
        ]

    async def _live(self, _scope: web.Scope, _receive: web.Receive) -> object:
        return told(self.health.live())

    async def _ready(self, _scope: web.Scope, _receive: web.Receive) -> object:
        return told(await self.health.ready())

    async def _metrics_route(self, _scope: web.Scope, _receive: web.Receive, send: web.Send) -> None:
        self.health.live()
        await web.respond(send, HTTPStatus.OK, generate_latest(self.metrics.registry), b"text/plain; version=0.0.4")

    def _answering(self, answer: Answer) -> Any:
        async def act(scope: web.Scope, _receive: web.Receive) -> object:
            found = web.query(scope)
            async with self.database.reading(web.needed(found, "tenant")) as connection:
                return await answer(connection, found)

        return act

    def _acting(self, act: Act) -> Any:
        async def do(_scope: web.Scope, receive: web.Receive) -> object:
            order = await web.body(receive)
            async with self.database.transaction() as connection:
                tx = self.service.work(connection)
                answer = await act.act(tx, order, self.clock.now())
                await outbox.put(connection, self.service.source, tx.outgoing)
            self.woken()
            return answer

        return do

    async def _brakes(self, _scope: web.Scope, _receive: web.Receive) -> object:
        async with self.database.transaction() as connection:
            return [
                {"name": name, "reason": reason, "since": since}
                for name, reason, since in await brakes.held(connection)
            ]

    async def _release(self, _scope: web.Scope, receive: web.Receive) -> object:
        order = await web.body(receive)
        name, by, reason = (web.needed(order, field) for field in ("name", "by", "reason"))
        async with self.database.transaction() as connection:
            released = await brakes.release(connection, name, by, reason)
        if not released:
            raise web.Refusal(HTTPStatus.NOT_FOUND, "not_held")
        return {"released": name}


def told(findings: Sequence[Finding]) -> object:
    """Turn findings into an answer; anything said makes it a refusal that still carries the list."""
    body = {finding.name: finding.said or "ok" for finding in findings}
    if any(finding.said for finding in findings):
        raise web.Unwell(body)
    return body
