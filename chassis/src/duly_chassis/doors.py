"""The public side of a service: hooks of providers, and nothing else (SECURITY 1).

Apart from routes.py, which serves health, metrics and people's orders at an inner address: whoever can reach this one
is anybody. In order: path, method, size, proof, rate, form; each refusal has a constant body, is counted by reason, and
is logged by reason and byte count alone.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from duly_chassis import crash, outbox, retry, web
from duly_chassis.clock import Clock
from duly_chassis.database import Database
from duly_chassis.faults import Fault, fault, label
from duly_chassis.logs import log
from duly_chassis.metrics import Metrics
from duly_chassis.rates import Rates
from duly_chassis.service import Hook, Knock, Reply, Service, Unproved
from duly_chassis.traces import Traces

READ_DEADLINE_S = 10.0
SAFE = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))
NO_EDGE = "none"
LOG = log("doors")


class Turned(Exception):
    """A request is turned away: status, what the caller is told, and why for the metric."""

    def __init__(self, status: HTTPStatus, word: str, reason: str = "", after_s: float = 0) -> None:
        super().__init__(word)
        self.status = status
        self.word = word
        self.reason = reason or word
        self.after_s = after_s


class Doors:
    """Answers for the hooks of one service; an ASGI application of its own."""

    def __init__(
        self,
        service: Service[Any],
        database: Database,
        clock: Clock,
        metrics: Metrics,
        committed: Callable[[], None],
        traces: Traces,
    ) -> None:
        self._service = service
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._committed = committed
        self._traces = traces
        self._rates = Rates()

    async def __call__(self, scope: web.Scope, receive: web.Receive, send: web.Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        edge, counting = NO_EDGE, Counting(receive)
        try:
            hook, words = self._found(scope["path"])
            edge = hook.edge
            reply = await self._taken(hook, words, scope, counting)
        except Turned as turned:
            await self._turn_away(turned, edge, counting.bytes, send)
        else:
            self._metrics.edge_taken.labels(self._service.name, edge, reply.outcome).inc()
            await web.respond(send, HTTPStatus.OK, reply.content, reply.content_type, SAFE)

    def _found(self, path: str) -> tuple[Hook, Mapping[str, str]]:
        """Find the hook of a path, with what stands in its places; raises Turned."""
        parts = path.split("/")
        for hook in self._service.hooks:
            words = matched(hook.path.split("/"), parts)
            if words is not None:
                return hook, words
        raise Turned(HTTPStatus.NOT_FOUND, "no_such_path")

    async def _taken(self, hook: Hook, words: Mapping[str, str], scope: web.Scope, counting: "Counting") -> Reply:
        """Verify, read and keep one request; raises Turned."""
        if scope["method"] != "POST":
            raise Turned(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed")
        try:
            async with asyncio.timeout(READ_DEADLINE_S):
                body = await web.content(counting, hook.bytes_max, hook.bytes_max)
        except web.Refusal as refusal:
            raise Turned(refusal.status, refusal.word) from None
        except TimeoutError:
            raise Turned(HTTPStatus.REQUEST_TIMEOUT, "slow") from None
        knock, credential = self._proved(hook, words, scope, body)
        wait_s = self._rates.wait_s((hook.edge, credential), hook.per_minute_max)
        if wait_s > 0:
            raise Turned(HTTPStatus.TOO_MANY_REQUESTS, "too_many", after_s=wait_s)
        try:
            order = hook.read(knock, credential)
        except web.Refusal as refusal:
            raise Turned(refusal.status, refusal.word) from None
        except Exception:  # noqa: BLE001 - proved, but nothing that we can read; the parsers have errors of their own
            raise Turned(HTTPStatus.BAD_REQUEST, "unreadable") from None
        return await self._kept(hook, order)

    def _proved(self, hook: Hook, words: Mapping[str, str], scope: web.Scope, body: bytes) -> tuple[Knock, str]:
        """Return the request and who signed it. Any exception is a 401: verifiers raise on bad input (S-01)."""
        try:
            query = scope["query_string"].decode("ascii")
            target = scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
            headers = tuple((name.decode("ascii"), value.decode("ascii")) for name, value in scope["headers"])
            knock = Knock(target, words, headers, body)
            return knock, hook.verify(knock)
        except Unproved as unproved:
            raise Turned(HTTPStatus.UNAUTHORIZED, "unauthorized", str(unproved)) from None
        except Exception:  # noqa: BLE001 - whatever a proof raises, the answer is the same, and says nothing
            raise Turned(HTTPStatus.UNAUTHORIZED, "unauthorized", "unverifiable") from None

    async def _kept(self, hook: Hook, order: Any) -> Reply:
        """Keep what came, waiting a little for a database that is away: most providers do not come again."""
        try:
            async with asyncio.timeout(hook.deadline_s):
                return await retry.in_place(
                    lambda: self._transaction(hook, order), lambda error: fault(error) is Fault.WORLD, self._failed
                )
        except Exception as error:  # noqa: BLE001 - the provider learns nothing, the log learns the class
            LOG.warning("callback_lost", edge=hook.edge, error=label(error))
            raise Turned(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable") from None

    async def _transaction(self, hook: Hook, order: Any) -> Reply:
        async with self._database.transaction() as connection:
            tx = self._service.work(connection)
            reply = await hook.act(order, self._clock.now(), tx)
            await outbox.put(connection, self._service.source, tx.outgoing)
            crash.at("callback-before-commit")
        crash.at("callback-after-commit")
        self._traces.record(tx.spans)
        self._committed()
        return reply

    def _failed(self, error: BaseException, attempt: int) -> None:
        LOG.warning("callback_waits", error=label(error), attempt=attempt)

    async def _turn_away(self, turned: Turned, edge: str, bytes_read: int, send: web.Send) -> None:
        self._metrics.edge_rejected.labels(self._service.name, edge, turned.reason).inc()
        LOG.info("edge_rejected", edge=edge, reason=turned.reason, bytes=bytes_read)
        after = [(b"retry-after", str(math.ceil(turned.after_s)).encode())] if turned.after_s else []
        await web.respond(send, turned.status, {"error": turned.word}, also=(*SAFE, *after))


class Counting:
    """Hands a request's parts on, and counts their bytes."""

    def __init__(self, receive: web.Receive) -> None:
        self._receive = receive
        self.bytes = 0

    async def __call__(self) -> Any:
        """Give the next part."""
        message = await self._receive()
        self.bytes += len(message.get("body", b""))
        return message


def matched(wanted: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    """Return what stands in the places of a path, or None for another path."""
    if len(wanted) != len(parts):
        return None
    words = {}
    for want, part in zip(wanted, parts, strict=True):
        if want.startswith("{"):
            words[want.strip("{}")] = part
        elif want != part:
            return None
    return words
