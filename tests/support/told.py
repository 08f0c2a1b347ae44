"""Services that answer /v1/explain with one story, for whoever shows stories."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

TENANT, PERSON, ASSIGNMENT = "acme", "ada", "fire-ada"
OUTREACH_ID = "0192f0c1-7a3b-7cde-8f01-23456789abcd"
REMINDERS: dict[str, Any] = {
    "known": True,
    "facts": {"training": "Fire safety", "due_at": "2026-03-31T23:59:59Z"},
    "policy": {"version": "7", "offsets_days": [14], "zone": "Europe/Dublin"},
    "planned": [{"step": "14", "at": "2026-03-18T09:00:00Z"}],
    "decisions": [{"step": "14", "requested": True, "reason": "moment_reached", "decided_at": "2026-03-18T09:00:00Z"}],
    "next_look_at": None,
}
MESSAGE: dict[str, Any] = {
    "step": "14",
    "channel": "mail",
    "state": "sent",
    "reason": "accepted",
    "next_due_at": None,
    "history": [{"at": "2026-03-18T09:00:01Z", "state": "sent", "reason": "accepted", "code": "250"}],
}
MESSENGER: dict[str, Any] = {"known": True, "messages": [MESSAGE]}


@dataclass
class Tellers:
    """Where they answer, and what they were asked: the service's name, the query and the Authorization header."""

    addresses: dict[str, str]
    asked: list[tuple[str, dict[str, str], str | None]] = field(default_factory=list)


@asynccontextmanager
async def telling() -> AsyncIterator[Tellers]:
    """Answer as reminders and messenger would, on two paths of one server."""
    tellers = Tellers({})

    async def explain(request: web.Request) -> web.Response:
        name, query = request.match_info["service"], dict(request.query)
        tellers.asked.append((name, query, request.headers.get("Authorization")))
        return web.json_response(answer(name, query))

    app = web.Application()
    app.router.add_get("/{service}/v1/explain", explain)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        tellers.addresses |= {name: f"http://127.0.0.1:{port}/{name}" for name in ("reminders", "messenger")}
        yield tellers
    finally:
        await runner.cleanup()


def answer(name: str, query: dict[str, str]) -> dict[str, Any]:
    """Tell one tenant's one story, and nothing to anybody else."""
    whom = {"person": PERSON, "assignment": ASSIGNMENT}
    if name == "messenger":
        if query == {"tenant": TENANT, "outreach": OUTREACH_ID}:
            return whom | MESSENGER
        return {"known": False, "messages": []}
    return REMINDERS if query == {"tenant": TENANT} | whom else {"known": False}
