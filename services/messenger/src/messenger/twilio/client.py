"""The one way to Twilio: its own client, on our session. One request for each call, within our deadlines, no redirect.

Twilio's own async client has no deadline that holds, and repeats a POST when it is told to retry (PROVIDERS.md 3.1).
"""

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from logging import getLogger
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from aiohttp import encode_basic_auth
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from duly_chassis.clock import Clock
from messenger.http.client import HttpClient, HttpSettings
from messenger.http.retry_after import http_date, retry_after_s

TWILIO_URL = "https://api.twilio.com"
GATED = "/Messages.json"
ACCOUNT = re.compile(r"AC[0-9a-f]{32}")
PREFIXES = {"api.twilio.com": ""}
"""By Twilio's host: what stands before the path where one address stands for all of Twilio (`twilio_url`)."""
NO_ENVIRONMENT = {"TWILIO_EDGE": "", "TWILIO_REGION": ""}
"""Else Twilio's client reads the process' own environment for where and as whom to call."""


@dataclass(slots=True)
class Heard:
    """What the last answer said beside its body; Twilio's exceptions carry no headers."""

    status: int = 0
    after_s: float | None = None


HEARD: ContextVar[Heard | None] = ContextVar("heard", default=None)


def listen() -> Heard:
    """Return where the answers to this task's requests are noted from now on."""
    heard = Heard()
    HEARD.set(heard)
    return heard


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """Which account at which address; the token is in no `repr`."""

    account_sid: str
    auth_token: str = field(repr=False)
    url: str = TWILIO_URL
    public_url: str | None = None
    """Where Twilio reaches us; without it nobody is told what became of a text."""
    loopback_only: bool = False

    answer_timeout_s: float = 15.0  # machine clock
    late_acceptance_s: float = 30.0  # how long after its own timeout a text may still be taken
    readback_lag_s: float = 30.0  # how long what was taken may be missing from the lists

    def __post_init__(self) -> None:
        """Refuse an address that cannot be used, before anything is sent; raises HttpUrlError, a ValueError."""
        _ = self.http

    @property
    def http(self) -> HttpSettings:
        """Return what the session needs to know."""
        return HttpSettings(
            url=self.url,
            gated_ends=(GATED,),
            loopback_only=self.loopback_only,
            answer_timeout_s=self.answer_timeout_s,
        )


class TwilioHttp(AsyncHttpClient):  # type: ignore[misc]
    """The HTTP client that Twilio's client is given; it logs nothing, for URLs and bodies hold numbers."""

    def __init__(self, client: HttpClient, url: str, wall: Clock) -> None:
        super().__init__(getLogger("twilio"), is_async=True)
        self._client = client
        self._url = urlsplit(url)
        self._wall = wall

    async def request(
        self,
        method: str,
        uri: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002 - Twilio's name; the deadline is the caller's own
        allow_redirects: bool = False,  # noqa: ARG002 - Twilio's name; none is ever followed
    ) -> Response:
        """Make one request; raises what aiohttp raises, and repeats nothing."""
        sent: dict[str, Any] = {"headers": dict(headers or {}), "allow_redirects": False}
        if auth is not None:
            sent["headers"]["Authorization"] = encode_basic_auth(*auth)
        if params:
            sent["params"] = {name: str(value) for name, value in params.items()}
        if data:
            sent["data"] = urlencode(data, doseq=True).encode("ascii")
        async with self._client.session.request(method.upper(), self._rewritten(uri), **sent) as response:
            if (heard := HEARD.get()) is not None:
                heard.status = response.status
                said_at = http_date(response.headers.get("Date")) or self._wall.now()
                heard.after_s = retry_after_s(response.headers.get("Retry-After"), said_at)
            text = await response.text("utf-8", "replace")
            return Response(response.status, text, response.headers)

    def _rewritten(self, uri: str) -> str:
        """Exchange scheme, host and port for those that were set, with a prefix for each of Twilio's hosts."""
        parts = urlsplit(uri)
        if parts.hostname not in PREFIXES:  # a page's link that leads elsewhere: the session refuses it
            return uri
        path = self._url.path.rstrip("/") + PREFIXES[parts.hostname] + parts.path
        return urlunsplit((self._url.scheme, self._url.netloc, path, parts.query, ""))


def open_client(settings: TwilioSettings, http: HttpClient, wall: Clock) -> Client:
    """Return Twilio's client for this account; it connects when it is first asked."""
    return Client(
        settings.account_sid,
        settings.auth_token,
        http_client=TwilioHttp(http, settings.url, wall),
        environment=NO_ENVIRONMENT,
    )
