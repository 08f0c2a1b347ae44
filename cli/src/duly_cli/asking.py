"""Asks running services over HTTP: each answers its own part."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import aiohttp

from duly_chassis.plain import PlainError
from duly_chassis.secret_files import from_file

ASK_DEADLINE_S = 30
HELD = "held_by_a_brake"


class Unanswered(PlainError):
    """A service gave no answer, or refused; the text says which and how. `word` is the refusal's own, if it was one."""

    def __init__(self, text: str, word: str = "") -> None:
        super().__init__(text)
        self.word = word


class HeldByBrake(PlainError):
    """A brake holds what was asked for; the text says how it is released."""


async def get(address: str, path: str, query: Mapping[str, str], token: str | None = None) -> Any:
    """Return a service's answer; raises Unanswered."""
    return await _ask("GET", address, path, token, params=dict(query))


async def post(address: str, path: str, order: Mapping[str, Any], token: str | None = None) -> Any:
    """Give a service an order and return its answer; raises Unanswered or HeldByBrake."""
    return await _ask("POST", address, path, token, json=dict(order))


async def send(
    address: str, path: str, query: Mapping[str, str], content: bytes, token: str | None, deadline_s: float
) -> Any:
    """Send a service a whole file and return its answer; raises Unanswered."""
    return await _ask("POST", address, path, token, deadline_s, params=dict(query), data=BytesIO(content))


async def _ask(
    method: str, address: str, path: str, token: str | None, deadline_s: float = ASK_DEADLINE_S, **content: Any
) -> Any:
    try:
        token = token or from_file("DULY_HTTP_TOKEN")
    except ValueError as error:
        raise Unanswered(str(error)) from None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = aiohttp.ClientTimeout(total=deadline_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.request(method, address + path, allow_redirects=False, **content) as response,
        ):
            answer = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Unanswered(f"no answer from {address}{path} ({type(error).__name__}); is it running?") from None
    if response.status != 200:  # noqa: PLR2004 - the one status that carries an answer
        word = answer.get("error", "refused") if isinstance(answer, dict) else "refused"
        if word == HELD:
            raise HeldByBrake("a brake holds this service; look with `duly brake list`, and release it first")
        raise Unanswered(f"{address}{path} answered {response.status}: {word}", word)
    return answer
