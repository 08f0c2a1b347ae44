"""A Slack that lies: four methods, as Slack's own pages describe them; who is asked for by mail is always found.

Only who has an address at `nochat` is not here.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from tests.faults.vendors.desk import Desk
from tests.faults.vendors.http import Reply, Request

PAGE_MAX = 15  # what an app outside the marketplace gets at most
WIDTH = 11
BY_MAIL_ONLY = "@nochat."


async def answer(request: Request, desk: Desk) -> Reply:
    """Answer one call of the API."""
    method = METHODS.get(request.path.rpartition("/")[2])
    if method is None:
        return _said({"ok": False, "error": "unknown_method"})
    if not request.headers.get("authorization", "").startswith("Bearer x"):
        return _said({"ok": False, "error": "not_authed"})
    return await method({name: _value(value) for name, value in request.asked.items()}, desk)


async def _test(_asked: Mapping[str, Any], _desk: Desk) -> Reply:
    return _said({"ok": True, "user_id": "UBOT", "team_id": "TLIAR"})


async def _lookup(asked: Mapping[str, Any], desk: Desk) -> Reply:
    mail = str(asked["email"])
    if BY_MAIL_ONLY in mail:
        return _said({"ok": False, "error": "users_not_found"})
    user = {"id": _id("U", mail), "deleted": False, "is_bot": False, "profile": {"email": mail}}
    return await desk.ask(mail, f"lookup {mail}", lambda: json.dumps({"ok": True, "user": user}))


async def _open(asked: Mapping[str, Any], desk: Desk) -> Reply:
    user_id = str(asked["users"])
    channel = {"id": f"D{user_id[1:]}"}
    return await desk.ask(user_id, f"open {user_id}", lambda: json.dumps({"ok": True, "channel": channel}))


async def _asked_for(asked: Mapping[str, Any], desk: Desk) -> Reply:
    place = str(asked["channel"])
    return await desk.ask(place, f"history {place}", lambda: _history(asked, desk))


async def _post(asked: Mapping[str, Any], desk: Desk) -> Reply:
    place, metadata = str(asked["channel"]), asked.get("metadata") or {}
    if not asked.get("text"):
        return _said({"ok": False, "error": "no_text"})
    at = time.time()
    entry = {
        "at": at,
        "ts": f"{at:.6f}",
        "channel": "slack",
        "place": place,
        "metadata": metadata,
        "text": asked["text"],
    }
    payload = metadata.get("event_payload", {})
    name = f"{payload.get('outreach_id', place)}"
    return await desk.take(
        name, entry, place, lambda: json.dumps({"ok": True, "channel": place, "ts": entry["ts"], "message": {}})
    )


def _history(asked: Mapping[str, Any], desk: Desk) -> str:
    oldest, start = float(asked.get("oldest") or 0), int(str(asked.get("cursor") or "0"))
    found = [entry for entry in reversed(desk.held.get(str(asked["channel"]), ())) if entry["at"] > oldest]
    with_metadata = str(asked.get("include_all_metadata", "")).lower() in {"1", "true"}
    page = min(int(asked.get("limit") or 100), PAGE_MAX)
    messages = [
        {"type": "message", "ts": entry["ts"], "text": entry["text"]} | _marks(entry, with_metadata=with_metadata)
        for entry in found[start : start + page]
    ]
    more = start + page < len(found)
    answer = {"ok": True, "messages": messages, "has_more": more}
    return json.dumps(answer | ({"response_metadata": {"next_cursor": str(start + page)}} if more else {}))


def _marks(entry: Mapping[str, Any], *, with_metadata: bool) -> dict[str, Any]:
    """Say whose message it is: our app's by its ids, or only that it is some app's."""
    if entry.get("blind"):
        return {"bot_id": "B0LIAR"}
    return {"metadata": entry["metadata"]} if with_metadata else {}


def place_of(mail: str) -> str:
    """Return the direct conversation with who has this address."""
    return f"D{_id('U', mail)[1:]}"


def _id(kind: str, mail: str) -> str:
    return kind + hashlib.sha256(mail.encode()).hexdigest()[: WIDTH - 1].upper()


def _value(value: Any) -> Any:
    """Read what a form can only hold as text."""
    if isinstance(value, str) and value[:1] in "[{":
        return json.loads(value)
    return value


def _said(body: Mapping[str, Any]) -> Reply:
    return Reply(json.dumps(body))


METHODS = {
    "auth.test": _test,
    "users.lookupByEmail": _lookup,
    "conversations.open": _open,
    "chat.postMessage": _post,
    "conversations.history": _asked_for,
}
