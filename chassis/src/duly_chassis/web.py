"""HTTP of a service: explanations and people's orders under /v1, JSON in and out, constant words on refusal."""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from pydantic import SecretStr

from duly_chassis.faults import label
from duly_chassis.logs import log

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_BYTES_MAX = 64 * 1024
LOG = log("web")


class Refusal(Exception):
    """The request cannot be answered; the status and a constant word are all the caller learns."""

    def __init__(self, status: HTTPStatus, word: str) -> None:
        super().__init__(word)
        self.status = status
        self.word = word


class Unwell(Exception):
    """A health question with at least one bad answer; all of them go to the asker."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__("unwell")
        self.answers = answers


async def respond(
    send: Send,
    status: int,
    body: object,
    content_type: bytes = b"application/json",
    also: Sequence[tuple[bytes, bytes]] = (),
) -> None:
    """Send one whole answer; `also` are further headers."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    headers = [(b"content-type", content_type), (b"content-length", str(len(content)).encode()), *also]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def guarded(method: str, token: SecretStr | None, act: Callable[[Scope, Receive], Awaitable[object]]) -> Asgi:
    """Return the route: method and token checked, refusals and faults answered without a word of the input."""

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            check_method(scope, method)
            check_token(scope, token)
            answer = await act(scope, receive)
        except Refusal as refusal:
            await respond(send, refusal.status, {"error": refusal.word})
        except Unwell as unwell:
            await respond(send, HTTPStatus.SERVICE_UNAVAILABLE, unwell.answers)
        except Exception as error:  # noqa: BLE001 - the caller learns nothing, the log learns the class
            LOG.warning("request_failed", path=scope["path"], error=label(error))
            await respond(send, HTTPStatus.SERVICE_UNAVAILABLE, {"error": "unavailable"})
        else:
            await respond(send, HTTPStatus.OK, answer)

    return route


def check_method(scope: Scope, method: str) -> None:
    """Refuse any other method: a GET never changes state."""
    if scope["method"] != method:
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed")


def check_token(scope: Scope, token: SecretStr | None) -> None:
    """Compare the bearer token in constant time; raises Refusal 401 whatever is wrong with it."""
    if token is None:
        return
    brought = [value for name, value in scope["headers"] if name == b"authorization"]
    wanted = b"Bearer " + token.get_secret_value().encode()
    if len(brought) != 1 or not hmac.compare_digest(brought[0], wanted):
        raise Refusal(HTTPStatus.UNAUTHORIZED, "unauthorized")


def query(scope: Scope) -> dict[str, str]:
    """Return the query's parameters; raises Refusal 400 for a doubled one or one that is not text."""
    try:
        pairs = parse_qsl(
            scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=20, errors="strict"
        )
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_query") from None
    found = dict(pairs)
    if len(found) != len(pairs) or any("\x00" in value for value in found.values()):
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_query")
    return found


async def content(receive: Receive, bytes_max: int, dropped_max: int = 0) -> bytes:
    """Return the bytes of a request; raises Refusal 413, or 400 for one that was broken off.

    Of what is beyond the limit up to `dropped_max` bytes are read and not kept, before it is refused: a sender that
    is still writing may miss the answer.
    """
    chunks: list[bytes] = []
    length = 0
    while True:
        message = await receive()
        if message.get("type") == "http.disconnect":
            raise Refusal(HTTPStatus.BAD_REQUEST, "broken_off")
        chunk = message.get("body", b"")
        length += len(chunk)
        if length <= bytes_max:
            chunks.append(chunk)
        if not message.get("more_body") or length > bytes_max + dropped_max:
            break
    if length > bytes_max:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large")
    return b"".join(chunks)


async def body(receive: Receive, bytes_max: int = BODY_BYTES_MAX) -> Mapping[str, Any]:
    """Return the JSON object of a request; raises Refusal 413 or 400."""
    brought = await content(receive, bytes_max)
    try:
        found = json.loads(brought)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "bad_body")
    return found


def needed(found: Mapping[str, Any], name: str) -> str:
    """Return a parameter that must be there as text without NUL; raises Refusal 400."""
    value = found.get(name)
    if not isinstance(value, str) or not value or "\x00" in value:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"needs_{name}")
    return value
