"""What every answer of the page carries, and which questions it takes: it shows other people's mails.

Nothing here runs a script, and no other site may frame, read or drive the page. The Host header must be a name of
this machine, or a site could point its own name at 127.0.0.1 and read the mails as its own (DNS rebinding).
"""

import logging
import re
from collections.abc import Callable, Collection
from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
EVERYWHERE = {
    "Server": "Duly inbox",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
OF_A_PAGE = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
}
OF_A_BODY = {
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'self'"
    ),
}
"""A mail's own HTML: its styles and the pictures it brings along; no script, no form, nothing fetched."""
FRAMES = re.compile(r"<(?=(?:i?frame|frameset|fencedframe|portal|object|embed)[\s/>])", re.IGNORECASE)
ADDRESSES = re.compile(r"href(?=\s*=)", re.IGNORECASE)
LINKS_LOOK_LIKE_LINKS = "<style>:where(a[x-href]) { color: #1f5f8b; text-decoration: underline }</style>"

Refused = Callable[[web.Request, int, str], web.StreamResponse]
LOG = logging.getLogger(__name__)


def guard(names: Collection[str], refused: Refused) -> Middleware:
    """Return the middleware; `refused` writes a refusal from its status and a sentence."""
    known = LOOPBACK_NAMES | {name.lower() for name in names}

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await _answer(request, handler)
        for name, value in (EVERYWHERE | OF_A_PAGE).items():
            response.headers.setdefault(name, value)
        return response

    async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _host(request.headers.get("Host", "")) not in known:
            return refused(request, HTTPStatus.MISDIRECTED_REQUEST, "This page answers to a name of this machine only.")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return refused(request, error.status, error.text or error.reason)
        except Exception as error:  # noqa: BLE001 - one mail's fault must not hide the others; the log has the class
            LOG.warning("request failed: %s", type(error).__name__)
            return refused(request, HTTPStatus.INTERNAL_SERVER_ERROR, "This could not be shown.")

    return guarded


def disarmed(html: str) -> str:
    """Rename what may open a connection without fetching, in every spelling that a browser takes for it.

    No policy has a word for that: behind every wall above, Chromium still connected for `<link rel=preconnect>` and
    for a pressed link whose answer it would have refused. A frame could bring such a link in a spelling of its own.
    """
    return ADDRESSES.sub("x-href", FRAMES.sub("<x-", html)) + LINKS_LOOK_LIKE_LINKS


def _host(header: str) -> str | None:
    """Return the name in a Host header, without its port; None for none or a broken one."""
    try:
        parts = urlsplit(f"//{header}")
    except ValueError:
        return None
    return parts.hostname if parts.netloc == header and "@" not in header else None
