"""Dead letters as a person meets them: the routes of one service asked directly, without a socket."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from duly_chassis.letter_routes import LetterRoutes
from duly_chassis.replays import Replays
from duly_chassis.service import Service
from duly_chassis.web import Refusal
from tests.support.bench import Bench


class Desk:
    """Where a person asks for dead letters, of this release of the service."""

    def __init__(self, bench: Bench, service: Service[Any] | None = None) -> None:
        release = service or bench.service
        self.replays = Replays(release, bench.database, bench.clock, bench.metrics)
        self._routes = LetterRoutes(release.name, bench.database, self.replays, lambda: None)

    async def groups(self, **query: str) -> list[dict[str, Any]]:
        """Return the groups of cause."""
        return list((await self._look(query))["groups"])

    async def show(self, **query: str) -> Any:
        """Return the letters of a group or an id, or the refusal's status and word."""
        return await self._look(query)

    async def replay(self, **order: Any) -> Any:
        """Replay a portion; return what is answered, or the refusal's status and word."""
        return await self._order("replay", {"by": "ada", **order})

    async def discard(self, **order: Any) -> Any:
        """Discard; return what is answered, or the refusal's status and word."""
        return await self._order("discard", order)

    async def _look(self, query: Mapping[str, str]) -> Any:
        scope = {"query_string": urlencode(query).encode()}
        try:
            return await self._routes.look(scope, receiving(b""))
        except Refusal as refusal:
            return int(refusal.status), refusal.word

    async def _order(self, verb: str, order: Mapping[str, Any]) -> Any:
        try:
            return await getattr(self._routes, verb)({}, receiving(json.dumps(order).encode()))
        except Refusal as refusal:
            return int(refusal.status), refusal.word


def receiving(body: bytes) -> Any:
    """Return what an ASGI server would hand over."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    return receive
