"""What a stand-in for Slack answers to each method it knows, and how it lies.

auth.test, users.lookupByEmail, conversations.open, chat.postMessage and conversations.history, below /api/. Read
methods are taken by POST with a form, by GET, and as JSON.
"""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from duly_local.accepts import AcceptLog
from duly_local.lies import Lie, Lies, retry_after, wall
from duly_local.slack_state import BOT, BOT_USER, PAGE_MAX, TEAM, Workspace, named, shown

BODY_BYTES_MAX = 256 * 1024
TEXT_CHARACTERS_MAX = 40_000
NEEDED = {
    "users.lookupByEmail": "users:read.email",
    "conversations.open": "im:write",
    "chat.postMessage": "chat:write",
}
Said = Mapping[str, Any]


class SlackFake:
    """Answers as Slack does, but for the lies."""

    def __init__(
        self, workspace: Workspace, lies: Lies | None = None, *, slow_s: float = 15, late_s: float = 5
    ) -> None:
        self.workspace = workspace
        self.lies = lies or Lies()
        self.asked: list[str] = []
        """Each method that was asked, in order."""
        self.late: set[asyncio.Task[None]] = set()
        """What is still to be accepted."""
        self.hurry = asyncio.Event()
        """Set: what is late comes now, and slow answers too."""
        self._slow_s, self._late_s = slow_s, late_s
        self._faults = AcceptLog(workspace.log.with_name(f"{workspace.log.name}.faults"))
        self._methods: Mapping[str, Callable[[Said, Lie | None], Awaitable[dict[str, Any]]]] = {
            "auth.test": self._auth_test,
            "users.lookupByEmail": self._lookup,
            "conversations.open": self._open,
            "chat.postMessage": self._post,
            "conversations.history": self._history,
        }

    def app(self) -> web.Application:
        """Return the application to serve."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_route("*", "/api/{method}", self._answer)
        return app

    async def close(self) -> None:
        """Take what was to be taken late, and let the logs go."""
        self.hurry.set()
        await asyncio.gather(*self.late)
        self._faults.close()
        self.workspace.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if method not in self._methods:
            return web.json_response({"ok": False, "error": "unknown_method"})
        self.asked.append(method)
        said = await arguments(request)
        refused = self._refused(method, said, request.headers.get("Authorization", ""))
        if refused is not None:
            return web.json_response({"ok": False, **refused})
        subject = f"{method} {subject_of(said)}"
        lie = self.lies.next(subject, read=method != "chat.postMessage")
        if lie is not None:
            await self._faults.add({"at": wall().isoformat(), "subject": subject, "lie": lie.value})
        if lie in {Lie.TOO_MANY, Lie.ERROR_BEFORE, Lie.CUT_BEFORE, Lie.REDIRECT, Lie.LATE}:
            return self._unheard(request, lie, said, subject)
        answer = await self._methods[method](said, lie)
        return await self._told(request, lie, answer)

    def _unheard(self, request: web.Request, lie: Lie, said: Said, subject: str) -> web.StreamResponse:
        """Answer, or not, without having done it."""
        if lie is Lie.TOO_MANY:
            headers = retry_after(self.lies.form(subject), wall())
            return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
        if lie is Lie.REDIRECT:
            return web.Response(status=302, headers={"Location": f"{request.url.origin()}/api/auth.test"})
        if lie is Lie.ERROR_BEFORE:
            return web.Response(status=500, text="<html>Server error</html>", content_type="text/html")
        if lie is Lie.LATE:
            task = asyncio.create_task(self._take_late(said))
            self.late.add(task)
            task.add_done_callback(self.late.discard)
        return cut(request)

    async def _told(self, request: web.Request, lie: Lie | None, answer: dict[str, Any]) -> web.StreamResponse:
        """Answer what was done, or something else, or nothing."""
        if lie is Lie.SLOW:
            await self._wait(self._slow_s)
        match lie:
            case Lie.CUT_AFTER:
                return cut(request)
            case Lie.ERROR_AFTER:
                return web.Response(status=500, text="<html>Server error</html>", content_type="text/html")
            case Lie.NOT_JSON:
                return web.Response(text="<html>Everything is fine</html>", content_type="text/html")
            case Lie.NOT_OK:
                return web.json_response({"ok": False, "error": "internal_error"})
            case Lie.ANOTHER_ID:
                return web.json_response({**answer, "channel": named("D", "somebody else")})
            case _:
                return web.json_response(answer, headers={"X-OAuth-Scopes": ",".join(sorted(self.workspace.scopes))})

    def _refused(self, method: str, said: Said, authorization: str) -> dict[str, Any] | None:
        token = authorization.removeprefix("Bearer ") or str(said.get("token", ""))
        if not token:
            return {"error": "not_authed"}
        if self.workspace.token and token != self.workspace.token:
            return {"error": "invalid_auth"}
        scope = NEEDED.get(method, "")
        if method == "conversations.history":
            scope = "im:history" if str(said.get("channel", "")).startswith("D") else "channels:history"
        if scope and scope not in self.workspace.scopes:
            return {"error": "missing_scope", "needed": scope, "provided": ",".join(sorted(self.workspace.scopes))}
        return None

    async def _auth_test(self, _said: Said, _lie: Lie | None) -> dict[str, Any]:
        return {"ok": True, "team": "Duly", "team_id": TEAM, "user": "duly", "user_id": BOT_USER, "bot_id": BOT}

    async def _lookup(self, said: Said, _lie: Lie | None) -> dict[str, Any]:
        email = str(said.get("email", "")).casefold()
        if "@" not in email or email in self.workspace.unknown:
            return {"ok": False, "error": "users_not_found"}
        user, gone = await self.workspace.user(email), email in self.workspace.gone
        return {"ok": True, "user": {"id": user, "team_id": TEAM, "deleted": gone, "profile": {"email": email}}}

    async def _open(self, said: Said, _lie: Lie | None) -> dict[str, Any]:
        user = str(said.get("users", ""))
        email = self.workspace.users.get(user)
        if email is None:
            return {"ok": False, "error": "user_not_found" if user else "users_list_not_supplied"}
        if email in self.workspace.gone:
            return {"ok": False, "error": "user_disabled"}
        return {"ok": True, "channel": {"id": f"D{user[1:]}"}}

    async def _post(self, said: Said, _lie: Lie | None) -> dict[str, Any]:
        if self.workspace.refuses:
            return {"ok": False, "error": self.workspace.refuses.popleft()}
        place = self.workspace.place(str(said.get("channel", "")))
        text = str(said.get("text", ""))
        if place.islower():
            return {"ok": False, "error": place}
        if not text and not said.get("blocks"):
            return {"ok": False, "error": "no_text"}
        if len(text) > TEXT_CHARACTERS_MAX:
            return {"ok": False, "error": "msg_too_long"}
        message = await self.workspace.take(place, said, wall())
        posted = shown(message, metadata=True, blind=False)
        return {"ok": True, "channel": place, "ts": message["ts"], "message": posted}

    async def _take_late(self, said: Said) -> None:
        await self._wait(self._late_s)
        await self._post(said, None)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.hurry.wait()

    async def _history(self, said: Said, lie: Lie | None) -> dict[str, Any]:
        place = self.workspace.place(str(said.get("channel", "")))
        if place.islower() or place.startswith("#"):
            return {"ok": False, "error": "channel_not_found"}
        limit = min(int(number(said.get("limit"), 100)), PAGE_MAX)
        first = int(urlsafe_b64decode(str(said["cursor"])).decode()) if said.get("cursor") else 0
        oldest, latest = number(said.get("oldest"), 0), number(said.get("latest"), float("inf"))
        found = self.workspace.history(place, oldest, latest, wall())
        metadata = str(said.get("include_all_metadata", "")).lower() in {"1", "true"}
        page = [shown(one, metadata=metadata, blind=lie is Lie.BLIND) for one in found[first : first + limit]]
        more = len(found) > first + limit
        cursor = urlsafe_b64encode(str(first + limit).encode()).decode() if more else ""
        return {"ok": True, "messages": page, "has_more": more, "response_metadata": {"next_cursor": cursor}}


async def arguments(request: web.Request) -> Said:
    """Read what a method was asked with: JSON, a form, or the query."""
    if request.content_type == "application/json":
        with suppress(ValueError):
            said = await request.json()
            return said if isinstance(said, dict) else {}
        return {}
    return {**request.query, **{name: str(value) for name, value in (await request.post()).items()}}


def subject_of(said: Said) -> str:
    """Name what a request is about: the outreach of a message, else the person or place."""
    metadata = said.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    told = payload.get("outreach_id") if isinstance(payload, dict) else None
    return str(told or said.get("client_msg_id") or said.get("email") or said.get("users") or said.get("channel"))


def number(text: Any, otherwise: float) -> float:
    """Read a number that may be missing."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return otherwise


def cut(request: web.Request) -> web.StreamResponse:
    """Hang up without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
