"""A Twilio that lies: Messages created and listed, as Twilio's own pages describe them."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from tests.faults.vendors.desk import Desk
from tests.faults.vendors.http import Reply, Request

MESSAGES = re.compile(r"/2010-04-01/Accounts/(AC\w+)/Messages\.json")
PAGE_MAX = 50
JSON = {"Content-Type": "application/json"}


async def answer(request: Request, desk: Desk) -> Reply:
    """Answer one call of the API."""
    found = MESSAGES.fullmatch(request.path)
    if not request.headers.get("authorization", "").startswith("Basic "):
        return Reply(json.dumps({"code": 20003, "message": "Authenticate", "status": 401}), 401, JSON)
    if found is None:
        return Reply(json.dumps({"code": 20404, "message": "not found", "status": 404}), 404, JSON)
    if request.method == "POST":
        return await _create(found[1], request.asked, desk)
    to = str(request.asked.get("To", ""))
    return await desk.ask(to, f"list {to}", lambda: _list(found[1], request.asked, desk))


async def _create(account: str, asked: Mapping[str, Any], desk: Desk) -> Reply:
    to, body = str(asked.get("To", "")), str(asked.get("Body", ""))
    if not to or not body or not (asked.get("From") or asked.get("MessagingServiceSid")):
        return Reply(json.dumps({"code": 21604, "message": "incomplete", "status": 400}), 400, JSON)
    number = next(desk.numbers)
    entry = {
        "at": time.time(),
        "channel": "sms",
        "sid": f"SM{number:032x}",
        "to": to,
        "from": asked.get("From"),
        "body": body,
        "callback": asked.get("StatusCallback", ""),
        "queued": number % 2 == 0,  # then it has no date to be found by yet
    }
    reply = await desk.take(f"{to} {body}", entry, to, lambda: json.dumps(_shown(account, entry)))
    return replace(reply, status=201) if reply.status == 200 else reply


def _list(account: str, asked: Mapping[str, Any], desk: Desk) -> str:
    found = [_shown(account, entry) for entry in reversed(desk.held.get(str(asked.get("To", "")), ()))]
    if asked.get("From"):
        found = [one for one in found if one["from"] == asked["From"]]
    if day := asked.get("DateSent"):
        found = [one for one in found if one["date_sent"] and _day(one["date_sent"]) == str(day)[:10]]
    page = int(asked.get("Page") or 0)
    size = min(int(asked.get("PageSize") or PAGE_MAX), PAGE_MAX)
    here = found[page * size : (page + 1) * size]
    more = (page + 1) * size < len(found)
    path = f"/2010-04-01/Accounts/{account}/Messages.json?PageSize={size}&Page={page + 1}"
    for name in ("To", "From", "DateSent"):
        if asked.get(name):
            path += f"&{name}={str(asked[name]).replace('+', '%2B')}"
    return json.dumps({"messages": here, "page": page, "page_size": size, "next_page_uri": path if more else None})


def _shown(account: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    at = format_datetime(datetime.fromtimestamp(entry["at"], UTC))
    return {
        "sid": entry["sid"],
        "account_sid": account,
        "to": entry["to"],
        "from": entry["from"],
        "body": "" if entry.get("blind") else entry["body"],  # an account may hide its texts
        "status": "queued" if entry["queued"] else "sent",
        "direction": "outbound-api",
        "date_created": at,
        "date_updated": at,
        "date_sent": None if entry["queued"] else at,
        "num_segments": "1",
        "num_media": "0",
        "error_code": None,
        "error_message": None,
    }


def _day(text: str) -> str:
    return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S %z").date().isoformat()
