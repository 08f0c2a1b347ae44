"""Where the SMTP relay is and how to speak to it: the value object of smtp/channel.py, and its form as a URL."""

import ssl
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from duly_chassis.loopback import is_loopback

Tls = Literal["none", "starttls", "tls"]

PORTS: dict[Tls, int] = {"none": 25, "starttls": 587, "tls": 465}
TLS_WORDS: dict[str, Tls] = {"none": "none", "starttls": "starttls", "tls": "tls"}
CONNECTIONS_MAX = 32  # more than this may never be without an outcome at once


class SmtpUrlError(ValueError):
    """The SMTP URL cannot be used; the text says why and repeats no part of it: it may hold a password."""


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """How to reach the relay. Every time here is on the machine clock."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls = "none"
    ca_file: str | None = None  # instead of the system's authorities
    local_hostname: str = "localhost"  # what EHLO says; a relay on the internet wants our real name
    loopback_only: bool = False  # a replay talks to this machine and to no other
    connections: int = 16
    connect_timeout_s: float = 10.0
    timeout_s: float = 30.0  # for each answer; a whole answer counts, not a byte of it
    straggler_s: float = 0.5  # how long letters that are ready wait for slower ones before they go without
    idle_s_max: float = 30.0  # an unused connection older than this is not trusted again
    mails_max: int = 500  # a connection is renewed after as many mails

    def __post_init__(self) -> None:
        """Refuse what would fail later, or wait for ever."""
        if not 1 <= self.connections <= CONNECTIONS_MAX:
            raise ValueError(f"connections: 1 to {CONNECTIONS_MAX}")
        if min(self.connect_timeout_s, self.timeout_s, self.straggler_s, self.idle_s_max) <= 0:
            raise ValueError("timeouts: more than 0")
        if self.mails_max < 1:
            raise ValueError("mails_max: at least 1")
        if self.username is not None and self.tls == "none" and not is_loopback(self.host):
            raise SmtpUrlError("a login without TLS would show the password to the network: use TLS")

    def tls_context(self) -> ssl.SSLContext:
        """Build the context that checks the relay's certificate and name; there is no way not to check."""
        return ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=self.ca_file)


def parse_smtp_url(url: str) -> SmtpSettings:
    """Read `smtp://user:password@host:25?tls=starttls` or `smtps://host`; the rest stays as shipped."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SmtpUrlError("not a URL: host or port cannot be read") from None
    if parts.scheme not in {"smtp", "smtps"}:
        raise SmtpUrlError("the URL must begin with smtp:// or smtps://")
    if not host:
        raise SmtpUrlError("the URL names no host")
    if parts.path not in {"", "/"} or parts.fragment:
        raise SmtpUrlError("nothing may follow host and port but ?tls=none, starttls or tls")
    tls = _tls(parts)
    username, password = _login(parts)
    return SmtpSettings(
        host=host,
        port=PORTS[tls] if port is None else port,
        username=username,
        password=password,
        tls=tls,
    )


def _tls(parts: SplitResult) -> Tls:
    secure = parts.scheme == "smtps"
    options = parse_qsl(parts.query, keep_blank_values=True)
    if not options:
        return "tls" if secure else "none"
    if len(options) > 1 or options[0][0] != "tls" or options[0][1] not in TLS_WORDS:
        raise SmtpUrlError("the only option is tls=none, tls=starttls or tls=tls, once")
    tls = TLS_WORDS[options[0][1]]
    if secure and tls != "tls":
        raise SmtpUrlError("smtps:// is TLS from the first byte: use smtp:// with tls=starttls or tls=none")
    return tls


def _login(parts: SplitResult) -> tuple[str | None, str | None]:
    if parts.username is None:
        return None, None
    if not parts.username or parts.password is None:
        raise SmtpUrlError("a login needs both a user and a password")
    return unquote(parts.username), unquote(parts.password)
