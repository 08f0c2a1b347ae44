"""The faults between a client and a peer: an addon of mitmproxy, which runs it in its own Python.

A control file holds the rules, one JSON object per line: {"path": part of the path, "times": n, "action": ...,
"retry_after": ..., "status": ..., "body": ..., "headers": ...}. A rule is used up after `times` requests; the first
that fits counts. Beside it, in a file that ends in .asked, stands each request that came: method and path.
Actions before the peer sees the request: refuse (a status, by default 429), reset, late (hung up on, and handed over
when a later line says go). After it did the work: lost (the answer never comes), slow (it comes after `seconds`),
replaced (another answer: a status, a body).
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from mitmproxy import ctx, http

GO_LOOK_S, GO_WITHIN_S = 0.05, 60.0


class Faults:
    """Reads the rules anew at every request, and counts what it did."""

    def __init__(self) -> None:
        self._control = Path(os.environ["DULY_FAULTS"])
        self._used: dict[int, int] = {}
        self._chosen: dict[str, dict[str, Any]] = {}
        self._late: set[asyncio.Task[None]] = set()

    async def request(self, flow: http.HTTPFlow) -> None:
        if flow.is_replay:
            return
        self._note(flow.request)
        rule = self._rule(flow.request.path)
        if rule is None:
            return
        if rule["action"] == "refuse":
            headers = {"content-type": rule.get("type", "application/json"), **rule.get("headers", {})}
            if "retry_after" in rule:
                headers["retry-after"] = str(rule["retry_after"])
            flow.response = http.Response.make(rule.get("status", 429), rule.get("body", ""), headers)
        elif rule["action"] == "reset":
            flow.kill()
        elif rule["action"] == "late":
            task = asyncio.create_task(self._hand_over(flow.copy(), len(self._rules())))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
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

    async def _hand_over(self, flow: http.HTTPFlow, after: int) -> None:
        """Give a request to the peer when somebody says go."""
        async with asyncio.timeout(GO_WITHIN_S):
            while not any(rule["action"] == "go" for rule in self._rules()[after:]):  # noqa: ASYNC110 - it is a file
                await asyncio.sleep(GO_LOOK_S)
        ctx.master.commands.call("replay.client", [flow])

    def _note(self, request: http.Request) -> None:
        with Path(f"{self._control}.asked").open("a", encoding="utf-8") as asked:
            asked.write(f"{request.method} {request.path.partition('?')[0]}\n")

    def _rules(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._control.read_text(encoding="utf-8").splitlines()]

    def _rule(self, path: str) -> dict[str, Any] | None:
        for number, rule in enumerate(self._rules()):
            if rule["path"] in path and self._used.get(number, 0) < rule["times"]:
                self._used[number] = self._used.get(number, 0) + 1
                return rule
        return None


addons = [Faults()]
