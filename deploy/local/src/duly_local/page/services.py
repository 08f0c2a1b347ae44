"""Asks the running services for the story behind a mail, at the moment somebody looks.

Where they are is read each time: from DULY_<NAME>_ADDRESS, or from the file that `duly up` and `duly demo` write
while their services run. They may be gone; then the page says so.
"""

import asyncio
import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from duly_local.page.letter import Head
from duly_local.story import told

ASK_WITHIN_S = 5.0
ANSWER_BYTES_MAX = 1_000_000
ADDRESS = re.compile(r"DULY_([A-Z][A-Z0-9_]*)_ADDRESS")
TOLD_BY = "messenger"
"""Knows whom a mail concerns, by its tenant and its outreach id."""


@dataclass(frozen=True, slots=True)
class Story:
    """What the services told, or in plain words why nobody did."""

    command: str
    """How to ask the same in a terminal; empty when it is not known whom the mail concerns."""
    parts: list[tuple[str, list[str]]]
    """Headings, each with its lines; a line that stands alone is a heading without lines."""
    trouble: str


class Services:
    """The services as far as this page knows of them."""

    def __init__(self, noted: Path | None, token: str | None) -> None:
        self._noted = noted
        self._token = token

    async def story(self, head: Head) -> Story:
        """Tell the story of the person and assignment that a mail concerns."""
        if not head.tenant or not head.outreach_id:
            return Story("", [], "This mail does not say that messenger sent it, so no service knows its story.")
        where = addresses(self._noted)
        if TOLD_BY not in where:
            return Story("", [], "The services do not run now, so nobody can tell. Start them again to ask.")
        timeout = aiohttp.ClientTimeout(total=ASK_WITHIN_S)
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as http:
            query = {"tenant": head.tenant, "outreach": head.outreach_id}
            known = await _part(http, TOLD_BY, where[TOLD_BY], query)
            if "unanswered" in known:
                return Story("", [], f"{known['unanswered']}. Does it still run?")
            if not (known.get("known") and known.get("person") and known.get("assignment")):
                return Story("", [], "Messenger does not know this mail: it was sent from another state.")
            query = {"tenant": head.tenant, "person": known["person"], "assignment": known["assignment"]}
            others = sorted(name for name in where if name != TOLD_BY)
            parts = await asyncio.gather(*(_part(http, name, where[name], query) for name in others))
        lines = told({TOLD_BY: known} | dict(zip(others, parts, strict=True)))
        return Story(self._command(query), parted(lines), "")

    def _command(self, query: Mapping[str, str]) -> str:
        words = ["duly", "explain", query["person"], query["assignment"], "--tenant", query["tenant"]]
        return shlex.join([*words, "--state", str(self._noted.parent)] if self._noted else words)


def parted(lines: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Part a story's lines by its headings, which stand at the margin."""
    parts: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith(" ") and parts:
            parts[-1][1].append(line)
        else:
            parts.append((line, []))
    return parts


def addresses(noted: Path | None) -> dict[str, str]:
    """Return where each service answers, by its name; the environment first. The broker is noted there too: no part."""
    try:
        found = dict(json.loads(noted.read_text(encoding="utf-8"))) if noted else {}
    except (OSError, ValueError, TypeError):  # nothing runs, or it is being written at this moment
        found = {}
    said = {match[1].lower(): value for name, value in os.environ.items() if (match := ADDRESS.fullmatch(name))}
    where = {str(name): str(address) for name, address in (found | said).items()}
    return {name: address for name, address in where.items() if address.startswith(("http://", "https://"))}


async def _part(http: aiohttp.ClientSession, name: str, address: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return one service's part; one that gives no answer costs only its own."""
    try:
        async with http.get(f"{address}/v1/explain", params=dict(query), allow_redirects=False) as response:
            if response.status != 200:  # noqa: PLR2004 - the one status that carries an answer
                return {"known": None, "unanswered": f"{name} answered {response.status}"}
            answer = json.loads(await _bounded(response))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        return {"known": None, "unanswered": f"{name} gave no answer ({type(error).__name__})"}
    return answer if isinstance(answer, dict) else {"known": None, "unanswered": f"{name} answered something else"}


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > ANSWER_BYTES_MAX:
            raise ValueError("the answer is too large")
    return bytes(content)
