"""HTTP: every refusal is a status and a constant word, and no word of the input comes back."""

import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from pydantic import SecretStr

from duly_chassis import web

CANARY = "canary"
TOKEN = SecretStr("right")


async def ask(
    act: Any = None,
    *,
    method: str = "GET",
    query: bytes = b"",
    body: bytes = b"",
    headers: list[tuple[bytes, bytes]] | None = None,
    token: SecretStr | None = None,
) -> tuple[int, Any]:
    """Send one request through a guarded route of GET; return status and answer."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def echo(scope: web.Scope, _receive: web.Receive) -> object:
        return web.query(scope)

    scope = {"type": "http", "method": method, "path": "/v1/x", "query_string": query, "headers": headers or []}
    await web.guarded("GET", token, act or echo)(scope, receive, send)
    assert CANARY not in sent[1]["body"].decode()
    return sent[0]["status"], json.loads(sent[1]["body"])


async def read(_scope: web.Scope, receive: web.Receive) -> object:
    """Answer with the body's fields."""
    return sorted(await web.body(receive))


async def test_good_query_is_answered() -> None:
    assert await ask(query=b"tenant=acme&empty=") == (200, {"tenant": "acme", "empty": ""})


@pytest.mark.parametrize(
    "query",
    [b"a=canary&a=2", b"a=%00canary", b"a=%ff", "a=ä".encode(), b"&".join(b"x%d=canary" % n for n in range(21))],
    ids=["doubled", "NUL", "not UTF-8", "not ASCII", "too many"],
)
async def test_bad_query_is_refused_with_400(query: bytes) -> None:
    """SECURITY 9."""
    assert await ask(query=query) == (400, {"error": "bad_query"})


@pytest.mark.parametrize(
    "body",
    [b"", b"canary", b'["canary"]', b'{"a": "canary"', b"\xff", b"[" * 30_000, b"null"],
    ids=["empty", "no JSON", "a list", "cut", "not UTF-8", "deep", "null"],
)
async def test_body_that_is_no_object_is_refused_with_400(body: bytes) -> None:
    """SECURITY 9: S-54, S-58 over HTTP."""
    assert await ask(read, body=body) == (400, {"error": "bad_body"})


async def test_body_is_refused_with_413_as_soon_as_it_is_too_large() -> None:
    """SECURITY 9: a body that never ends is not read to its end."""
    assert await ask(read, body=b"{" + b" " * web.BODY_BYTES_MAX + b"}") == (413, {"error": "too_large"})
    pieces = 0

    async def endless() -> MutableMapping[str, Any]:
        nonlocal pieces
        pieces += 1
        return {"body": b" " * 1024, "more_body": True}

    with pytest.raises(web.Refusal, match="too_large"):
        await web.body(endless)
    assert pieces == web.BODY_BYTES_MAX // 1024 + 1


async def test_order_may_have_a_limit_of_its_own() -> None:
    large = b'{"mail": "' + b"x" * web.BODY_BYTES_MAX + b'"}'

    async def read_large(_scope: web.Scope, receive: web.Receive) -> object:
        return sorted(await web.body(receive, 2 * web.BODY_BYTES_MAX))

    assert await ask(read_large, body=large) == (200, ["mail"])
    assert await ask(read_large, body=large * 2) == (413, {"error": "too_large"})


async def test_good_body_is_read() -> None:
    assert await ask(read, body=b'{"b": 1, "a": 2}') == (200, ["a", "b"])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "canary"])
async def test_other_method_is_refused_with_405(method: str) -> None:
    assert await ask(method=method) == (405, {"error": "method_not_allowed"})


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer canary")],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"right")],
        [(b"authorization", b"bearer right")],
        [(b"authorization", b"Bearer right"), (b"authorization", b"Bearer right")],
        [(b"authorization", b"Bearer right\xff")],
    ],
    ids=["none", "wrong", "empty", "bare", "other case", "twice", "bytes"],
)
async def test_caller_without_the_token_is_refused_with_401(headers: list[tuple[bytes, bytes]]) -> None:
    """X-23: whatever is wrong with it, the answer is the same."""
    assert await ask(headers=headers, token=TOKEN) == (401, {"error": "unauthorized"})


async def test_caller_with_the_token_is_answered() -> None:
    assert await ask(headers=[(b"authorization", b"Bearer right")], token=TOKEN) == (200, {})


async def test_fault_of_ours_tells_the_caller_nothing() -> None:
    """I9: the log learns the class, the caller a constant word."""

    async def fails(_scope: web.Scope, _receive: web.Receive) -> object:
        raise KeyError(CANARY)

    assert await ask(fails) == (503, {"error": "unavailable"})


@pytest.mark.parametrize("value", [None, "", 7, ["x"], "a\x00b"])
def test_missing_or_unfit_parameter_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(web.Refusal, match="needs_tenant"):
        web.needed({"tenant": value}, "tenant")
