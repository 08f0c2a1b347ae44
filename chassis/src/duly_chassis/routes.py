"""Every HTTP path of a service: health and metrics for machines, answers and orders under /v1 for people."""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from duly_chassis import asyncapi, asyncapi_page, crash, outbox, web
from duly_chassis.brake_routes import BrakeRoutes
from duly_chassis.clock import Clock
from duly_chassis.database import Database
from duly_chassis.health import Finding, Health
from duly_chassis.letter_routes import LetterRoutes
from duly_chassis.scrape import Scrape
from duly_chassis.service import Act, Answer, Service, Upload
from duly_chassis.settings import ServiceSettings
from duly_chassis.traces import Traces

METRICS_TYPE = b"text/plain; version=0.0.4"
RELEASE = version("duly-chassis")
PAGE_HEADERS = (
    (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
)
"""The page is one file: no script, no other host, in no other page."""


class Routes:
    """Answers for one service; questions as the reader's role, orders as the workers' (decision 0007)."""

    def __init__(
        self,
        service: Service[Any],
        settings: ServiceSettings,
        database: Database,
        health: Health,
        scrape: Scrape,
        clock: Clock,
        committed: Callable[[], None],
        traces: Traces,
        letters: LetterRoutes,
    ) -> None:
        self._service = service
        self._token = settings.http_token
        self._database = database
        self._health = health
        self._scrape = scrape
        self._clock = clock
        self._committed = committed
        self._traces = traces
        self._letters = letters
        self._brakes = BrakeRoutes(service, database, clock, committed)
        self._uploading = asyncio.Lock()

    def table(self) -> list[tuple[str, web.Asgi]]:
        """Name every path; health and metrics ask for no token, for they hold no data of anybody."""
        return [
            ("/health/live", web.guarded("GET", None, self._live)),
            ("/health/ready", web.guarded("GET", None, self._ready)),
            ("/metrics", self._metrics),
            ("/asyncapi.json", web.guarded("GET", None, self._asyncapi)),
            ("/docs", self._page),
            *((path, web.guarded("GET", self._token, self._answering(one))) for path, one in self._answers()),
            *((act.path, web.guarded("POST", self._token, self._acting(act))) for act in self._service.acts),
            *((one.path, web.guarded("POST", self._token, self._taking(one))) for one in self._service.uploads),
            ("/v1/brakes", web.guarded("GET", self._token, self._brakes.look)),
            ("/v1/brakes/hold", web.guarded("POST", self._token, self._brakes.hold)),
            ("/v1/brakes/release", web.guarded("POST", self._token, self._brakes.release)),
            ("/v1/dead-letters", web.guarded("GET", self._token, self._letters.look)),
            ("/v1/dead-letters/replay", web.guarded("POST", self._token, self._letters.replay)),
            ("/v1/dead-letters/discard", web.guarded("POST", self._token, self._letters.discard)),
        ]

    def _answers(self) -> Sequence[tuple[str, Answer]]:
        return tuple(self._service.answers.items())

    async def _live(self, _scope: web.Scope, _receive: web.Receive) -> object:
        return told(self._health.live())

    async def _ready(self, _scope: web.Scope, _receive: web.Receive) -> object:
        return told(await self._health.ready())

    async def _metrics(self, _scope: web.Scope, _receive: web.Receive, send: web.Send) -> None:
        await web.respond(send, HTTPStatus.OK, await self._scrape.text(), METRICS_TYPE)

    async def _asyncapi(self, _scope: web.Scope, _receive: web.Receive) -> object:
        return asyncapi.document(self._service, RELEASE)

    async def _page(self, _scope: web.Scope, _receive: web.Receive, send: web.Send) -> None:
        page = asyncapi_page.html(asyncapi.document(self._service, RELEASE))
        await web.respond(send, HTTPStatus.OK, page.encode(), b"text/html; charset=utf-8", PAGE_HEADERS)

    def _answering(self, answer: Answer) -> Any:
        async def act(scope: web.Scope, _receive: web.Receive) -> object:
            found = web.query(scope)
            async with self._database.reading(web.needed(found, "tenant")) as connection:
                return await answer(connection, found)

        return act

    def _acting(self, act: Act) -> Any:
        async def do(_scope: web.Scope, receive: web.Receive) -> object:
            order = await web.body(receive, act.body_bytes_max)
            async with self._database.transaction() as connection:
                tx = self._service.work(connection)
                answer = await act.act(order, self._clock.now(), tx)
                await outbox.put(connection, self._service.source, tx.outgoing)
                crash.at("order-before-commit")
            crash.at("order-after-commit")
            self._traces.record(tx.spans)
            self._committed()
            if act.counts is not None:
                act.counts(self._scrape.metrics, answer)
            return answer

        return do

    def _taking(self, upload: Upload) -> Any:
        async def take(scope: web.Scope, receive: web.Receive) -> object:
            order = web.query(scope)
            if self._uploading.locked():  # one file in memory at a time, whatever its size
                raise web.Refusal(HTTPStatus.TOO_MANY_REQUESTS, "busy")
            async with self._uploading:
                content = await web.content(receive, upload.bytes_max, 3 * upload.bytes_max)
                read = await asyncio.to_thread(upload.read, order, content)
                del content
                async with self._database.transaction() as connection:
                    tx = self._service.work(connection)
                    answer = await upload.act(read, self._clock.now(), tx)
                    await outbox.put(connection, self._service.source, tx.outgoing)
                    crash.at("import-before-commit")
            crash.at("import-after-commit")
            self._traces.record(tx.spans)
            self._committed()
            return answer

        return take


def told(findings: Sequence[Finding]) -> object:
    """Turn findings into an answer; anything said makes it a refusal that still carries the list."""
    body = {finding.name: finding.said or "ok" for finding in findings}
    if any(finding.said for finding in findings):
        raise web.Unwell(body)
    return body
