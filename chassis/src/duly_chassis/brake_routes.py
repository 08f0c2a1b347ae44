"""Brakes over HTTP: what is held, a person's word to hold, and a person's word to let it go on.

The consumer's own and those of the service have one list and one release; their decisions stay as rows.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from duly_chassis import brakes, crash, web
from duly_chassis.clock import Clock
from duly_chassis.database import Database
from duly_chassis.letter_routes import BY_CHARACTERS_MAX, REASON_CHARACTERS_MAX, words
from duly_chassis.logs import log
from duly_chassis.service import Service

LOG = log("brakes")


class BrakeRoutes:
    """The paths under /v1/brakes of one service."""

    def __init__(self, service: Service[Any], database: Database, clock: Clock, committed: Callable[[], None]) -> None:
        self._service = service
        self._database = database
        self._clock = clock
        self._committed = committed

    async def look(self, _scope: web.Scope, _receive: web.Receive) -> object:
        """List what holds now, the consumer's brakes first."""
        own = self._service.brakes
        async with self._database.transaction() as connection:
            found: list[Any] = [
                {"name": name, "reason": reason, "since": since}
                for name, reason, since in await brakes.held(connection)
            ]
            if own is not None:
                found += await own.held(self._service.work(connection))
        return found

    async def hold(self, _scope: web.Scope, receive: web.Receive) -> object:
        """Hold on a person's word; raises Refusal 404 in a service that a person cannot hold."""
        order = await web.body(receive)
        own = self._service.brakes
        if own is None:
            raise web.Refusal(HTTPStatus.NOT_FOUND, "nothing_to_hold")
        said = {"by": words(order, "by", BY_CHARACTERS_MAX), "reason": words(order, "reason", REASON_CHARACTERS_MAX)}
        async with self._database.transaction() as connection:
            answer = await own.hold({**order, **said}, self._clock.now(), self._service.work(connection))
            crash.at("hold-before-commit")
        crash.at("hold-after-commit")
        LOG.warning("brake_held", service=self._service.name)
        self._committed()
        return answer

    async def release(self, _scope: web.Scope, receive: web.Receive) -> object:
        """Let what one brake holds go on; raises Refusal 404 where none of this name holds."""
        order = await web.body(receive)
        name = web.needed(order, "name")
        by, reason = words(order, "by", BY_CHARACTERS_MAX), words(order, "reason", REASON_CHARACTERS_MAX)
        async with self._database.transaction() as connection:
            released = await brakes.release(connection, name, by, reason) or await self._own(
                connection, name, by, reason
            )
            crash.at("release-before-commit")
        crash.at("release-after-commit")
        if not released:
            raise web.Refusal(HTTPStatus.NOT_FOUND, "not_held")
        LOG.warning("brake_released", service=self._service.name)
        self._committed()
        return {"released": name}

    async def _own(self, connection: Any, name: str, by: str, reason: str) -> bool:
        own = self._service.brakes
        if own is None:
            return False
        return await own.release(name, by, reason, self._clock.now(), self._service.work(connection))
