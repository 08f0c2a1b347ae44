"""What a fake Slack answers to each method it knows, under the lies that are drawn.

auth.test, users.lookupByEmail, conversations.open, chat.postMessage and conversations.history, below /api/: asked by
POST with a form or JSON, or by GET.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

from duly_local.lies import Lies
from duly_local.lying import Deed, Liar, Reply
from duly_local.slack_state import BOT, BOT_USER, TEAM, Workspace, named, shown

POST = "chat.postMessage"
TEXT_CHARACTERS_MAX = 40_000
PAGE_MESSAGES, PAGE_MESSAGES_MAX = 100, 999
NEEDED = {"users.lookupByEmail": "users:read.email", "conversations.open": "im:write", POST: "chat:write"}
TOO_MANY = Reply({"ok": False, "error": "ratelimited"}, 429)
BROKEN = Reply({"ok": False, "error": "internal_error"}, 500)
Said = Mapping[str, Any]


class SlackFake:
    """The methods of one workspace."""

    def __init__(self, workspace: Workspace, lies: Lies, read_lies: Lies) -> None:
        self.workspace = workspace
        self.liar, self.read_liar = Liar(lies), Liar(read_lies)
        self.asked: list[str] = []
        """Each method that was asked, in order."""
        self._methods: Mapping[str, Callable[[Said], Awaitable[Reply]]] = {
            "auth.test": self._auth_test,
            "users.lookupByEmail": self._lookup,
            "conversations.open": self._open,
            POST: self._post,
            "conversations.history": self._history,
        }

    def routes(self) -> list[web.RouteDef]:
        """Name what may be asked."""
        return [
            web.route("*", "/api/{method}", self.answer),
            web.post("/_fake/lies", self.liar.control),
            web.get("/_fake/lies", self.liar.control),
            web.post("/_fake/read-lies", self.read_liar.control),
            web.post("/_fake/workspace", self.change),
        ]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Do what a method says, or refuse it; under the lie that is drawn for it."""
        method = request.match_info["method"]
        do = self._methods.get(method)
        if do is None:
            return no("unknown_method").response()
        self.asked.append(method)
        said = await arguments(request)
        refused = self._refused(method, said, request.headers.get("Authorization", ""))
        if refused is not None:
            return refused.response()
        liar = self.liar if method == POST else self.read_liar
        response = await liar.answer(request, Deed(lambda: do(said), TOO_MANY, BROKEN, other))
        response.headers["X-OAuth-Scopes"] = ",".join(sorted(self.workspace.scopes))
        return response

    async def change(self, request: web.Request) -> web.Response:
        """Change who is here: lists of `unknown` and `gone` addresses, `archived` channels, `refuses` words."""
        for name, listed in (await request.json()).items():
            if name not in {"unknown", "gone", "archived", "refuses"}:
                return web.json_response({"error": "no part of a workspace"}, status=400)
            setattr(self.workspace, name, deque(listed) if name == "refuses" else frozenset(listed))
        return web.json_response({"accepted": sum(map(len, self.workspace.messages.values()))})

    async def close(self) -> None:
        """Give up what would still be accepted."""
        await self.liar.close()
        await self.read_liar.close()

    def _refused(self, method: str, said: Said, authorization: str) -> Reply | None:
        token, scopes = authorization.removeprefix("Bearer ") or str(said.get("token", "")), self.workspace.scopes
        if not token:
            return no("not_authed")
        if self.workspace.token and token != self.workspace.token:
            return no("invalid_auth")
        scope = NEEDED.get(method, "")
        if method == "conversations.history":
            scope = "im:history" if str(said.get("channel", "")).startswith("D") else "channels:history"
        if scope and scope not in scopes:
            return Reply({**no("missing_scope").body, "needed": scope, "provided": ",".join(sorted(scopes))})
        return None

    async def _auth_test(self, _said: Said) -> Reply:
        return Reply({"ok": True, "team": "Duly", "team_id": TEAM, "user": "duly", "user_id": BOT_USER, "bot_id": BOT})

    async def _lookup(self, said: Said) -> Reply:
        mail = str(said.get("email", "")).casefold()
        if "@" not in mail or mail in self.workspace.unknown:
            return no("users_not_found")
        user, gone = await self.workspace.user(mail), mail in self.workspace.gone
        return Reply({"ok": True, "user": {"id": user, "team_id": TEAM, "deleted": gone, "profile": {"email": mail}}})

    async def _open(self, said: Said) -> Reply:
        user = str(said.get("users", ""))
        mail = self.workspace.users.get(user)
        if mail is None:
            return no("user_not_found" if user else "users_list_not_supplied")
        if mail in self.workspace.gone:
            return no("user_disabled")
        return Reply({"ok": True, "channel": {"id": f"D{user[1:]}"}})

    async def _post(self, said: Said) -> Reply:
        if self.workspace.refuses:
            return no(self.workspace.refuses.popleft())
        place, wrong = self.workspace.place(str(said.get("channel", "")))
        text = str(said.get("text", ""))
        if wrong:
            return no(wrong)
        if not text and not said.get("blocks"):
            return no("no_text")
        if len(text) > TEXT_CHARACTERS_MAX:
            return no("msg_too_long")
        message = await self.workspace.take(place, said)
        return Reply({"ok": True, "channel": place, "ts": message["ts"], "message": shown(message, metadata=True)})

    async def _history(self, said: Said) -> Reply:
        place, wrong = self.workspace.place(str(said.get("channel", "")))
        if not place and wrong != "is_archived":
            return no("channel_not_found")
        size = min(max(1, int(number(said.get("limit"), PAGE_MESSAGES))), PAGE_MESSAGES_MAX)
        try:
            first = int(urlsafe_b64decode(str(said.get("cursor") or "MA==")).decode())
        except ValueError:
            return no("invalid_cursor")
        oldest, latest = number(said.get("oldest"), 0), number(said.get("latest"), float("inf"))
        there = self.workspace.history(place, oldest, latest, self.liar.lies.hidden_s())
        metadata = str(said.get("include_all_metadata", "")).lower() in {"1", "true"}
        more = len(there) > first + size
        following = urlsafe_b64encode(str(first + size).encode()).decode() if more else ""
        page = [shown(one, metadata=metadata) for one in there[first : first + size]]
        return Reply({"ok": True, "messages": page, "has_more": more, "response_metadata": {"next_cursor": following}})


def no(error: str) -> Reply:
    """Word a refusal as Slack does: with 200."""
    return Reply({"ok": False, "error": error})


def other(reply: Reply) -> Reply:
    """Exchange what the answer is about for something else."""
    return Reply({**reply.body, "channel": named("D", "somebody else")}, reply.status)


async def arguments(request: web.Request) -> Said:
    """Read what a method was asked with: JSON, a form, or the query."""
    if request.content_type == "application/json":
        with suppress(ValueError):
            said = await request.json()
            return said if isinstance(said, dict) else {}
        return {}
    return {**request.query, **{name: str(value) for name, value in (await request.post()).items()}}


def number(text: Any, otherwise: float) -> float:
    """Read a number that may be missing."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return otherwise
