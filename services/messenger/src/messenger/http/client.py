"""The way out by HTTP, one for all channels: where it may go, for how long, and how much of an answer it reads.

It follows no redirect, repeats nothing, keeps no cookie, obeys no proxy of the environment, and lets a request that
reaches people (`gated_ends`) pass only by the gate (http/turn.py).
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import (
    ClientError,
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.client_exceptions import ClientPayloadError

from duly_chassis.loopback import is_loopback
from messenger.http.turn import gated

ANSWER_BYTES_MAX = 1024 * 1024  # a history with every message's layout is long; a provider is no stranger's address
CONNECTIONS_MAX = 64  # 32 letters at the gate, and what is asked before others come to it
REDIRECTS = range(300, 400)


class HttpUrlError(ValueError):
    """A provider's URL cannot be used; the text says why and repeats no part of it."""


class Astray(ClientError):
    """The request was for another host than the one that was set, or for one that is not this machine."""


class Redirected(ClientError):
    """The provider sent us elsewhere: nobody follows, the token would go along."""


class TooLong(ClientPayloadError):
    """The answer is longer than any honest one."""


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How to reach one provider. Every time here is on the machine clock."""

    url: str
    """The provider's address; its host and port are the only ones that are asked."""
    gated_ends: tuple[str, ...]
    """How the paths end whose POST reaches a person."""
    loopback_only: bool = False  # a replay talks to this machine and to no other
    connect_timeout_s: float = 5.0
    prepare_timeout_s: float = 15.0  # until the letter stands before the gate: connection, and whatever is asked first
    answer_timeout_s: float = 15.0  # from the last byte of the letter to the last of the answer
    straggler_s: float = 0.5  # how long letters that are ready wait for slower ones before they go without
    idle_s_max: float = 10.0  # an unused connection older than this is not trusted again

    def __post_init__(self) -> None:
        """Refuse what would fail later, or wait for ever."""
        waits = (self.connect_timeout_s, self.prepare_timeout_s, self.answer_timeout_s, self.straggler_s)
        if min(*waits, self.idle_s_max) <= 0:
            raise ValueError("timeouts: more than 0")
        scheme, host, _ = origin(self.url)
        if self.loopback_only and not is_loopback(host):
            raise HttpUrlError("only this machine may be asked here, and the URL names another")
        if scheme != "https" and not is_loopback(host):
            raise HttpUrlError("without https the token would be shown to the network")


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a provider's URL; raises HttpUrlError."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise HttpUrlError("not a URL: host or port cannot be read") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise HttpUrlError("the URL must begin with https://, and name a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise HttpUrlError("the URL holds no login, no query and no fragment")
    return parts.scheme, host, port or (443 if parts.scheme == "https" else 80)


class CappedResponse(ClientResponse):
    """An answer of which no more than ANSWER_BYTES_MAX are ever held."""

    async def read(self) -> bytes:
        """Read the whole answer; raises TooLong."""
        if self._body is None:
            pieces, size = [], 0
            while piece := await self.content.readany():
                size += len(piece)
                if size > ANSWER_BYTES_MAX:
                    self.close()
                    raise TooLong
                pieces.append(piece)
            self._body = b"".join(pieces)
        return await super().read()


class HttpClient:
    """Lends the one session to a provider; opened at first use, because it belongs to the loop that runs then."""

    def __init__(self, settings: HttpSettings) -> None:
        self.settings = settings
        self._origin = origin(settings.url)
        self._session: ClientSession | None = None
        self._closed = False

    @property
    def session(self) -> ClientSession:
        """Return the session; raises NotOpen once it was closed."""
        if self._closed:
            raise NotOpen
        if self._session is None:
            self._session = ClientSession(
                connector=TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=self.settings.idle_s_max),
                cookie_jar=DummyCookieJar(),
                headers={"Accept-Encoding": "identity"},
                middlewares=(self._guarded,),
                response_class=CappedResponse,
                timeout=ClientTimeout(total=None, sock_connect=self.settings.connect_timeout_s),
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        """End all connections; requests under way fail, and their letters are in doubt."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _guarded(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send one request to the one place, by the gate where it needs it; raises Astray, Redirected or NotGated."""
        url = request.url
        if (url.scheme, url.host, url.port) != self._origin or request.proxy is not None:
            raise Astray
        through = request.method == "POST" and url.path.endswith(self.settings.gated_ends)
        response = await (gated(request, handler) if through else handler(request))
        if response.status in REDIRECTS:
            response.close()
            raise Redirected(response.status)
        return response


class NotOpen(ClientError):
    """The process is ending: nothing is asked any more."""
