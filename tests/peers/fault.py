"""The faults between a client and a peer: an addon of mitmproxy, which runs it in its own Python.

A control file holds the rules, one JSON object per line: {"path": part of the path, "times": n, "action": ...,
"retry_after": ..., "status": ..., "body": ...}. A rule is used up after `times` requests; the first that fits counts.
Actions before the peer sees the request: refuse (a status, by default 429), reset. After it did the work: lost (the
answer never comes), slow (it comes after `seconds`), replaced (another answer: a status, a body).
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from mitmproxy import http

BEFORE = {"refuse", "reset"}


class Faults:
    """Reads the rules anew at every request, and counts what it did."""

    def __init__(self) -> None:
        self._control = Path(os.environ["DULY_FAULTS"])
        self._used: dict[int, int] = {}
        self._chosen: dict[str, dict[str, Any]] = {}

    async def request(self, flow: http.HTTPFlow) -> None:
        rule = self._rule(flow.request.path)
        if rule is None:
            return
        if rule["action"] == "refuse":
            headers = {"content-type": rule.get("type", "application/json")}
            if "retry_after" in rule:
                headers["retry-after"] = str(rule["retry_after"])
            flow.response = http.Response.make(rule.get("status", 429), rule.get("body", ""), headers)
        elif rule["action"] == "reset":
            flow.kill()
        else:
            self._chosen[flow.id] = rule

    async def response(self, flow: http.HTTPFlow) -> None:
        rule = self._chosen.pop(flow.id, None)
        if rule is None or flow.response is None:
            return
        if rule["action"] == "lost":
            flow.kill()
        elif rule["action"] == "slow":
            await asyncio.sleep(rule["seconds"])
        elif rule["action"] == "replaced":
            headers = {"content-type": rule.get("type", "application/json"), **rule.get("headers", {})}
            flow.response = http.Response.make(rule.get("status", 200), rule.get("body", ""), headers)

    def _rule(self, path: str) -> dict[str, Any] | None:
        rules: list[dict[str, Any]] = [
            json.loads(line) for line in self._control.read_text(encoding="utf-8").splitlines()
        ]
        for number, rule in enumerate(rules):
            if rule["path"] in path and self._used.get(number, 0) < rule["times"]:
                self._used[number] = self._used.get(number, 0) + 1
                return rule
        return None


addons = [Faults()]
