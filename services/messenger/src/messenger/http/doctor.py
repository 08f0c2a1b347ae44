"""What `duly doctor` says of any provider that is asked by HTTP: why it cannot be reached, and how its clock stands."""

from collections.abc import Mapping
from datetime import datetime

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientConnectorSSLError,
    ClientError,
)

from duly_chassis.doctor import CLOCK_S_MAX, Finding, apart_s, ok, problem, warning
from messenger.http.client import Astray, HttpUrlError, Redirected, TooLong
from messenger.http.retry_after import http_date

DATE_GRAIN_S = 1.0  # an HTTP date leaves out what is below a second
CLOCK_S_UNSAFE = 30.0  # reading back begins a minute before the first attempt, by our clock

UNREACHED: tuple[tuple[type[Exception], str, str], ...] = (  # the first that fits
    (
        ClientConnectorCertificateError,
        "its certificate is not one that this machine trusts",
        "see whether a proxy opens TLS on the way, and whether this machine's authorities are up to date",
    ),
    (ClientConnectorSSLError, "TLS with it fails", "see whether a proxy stands between, which speaks no TLS"),
    (ClientConnectorDNSError, "its name is not known here", "see whether this machine's name service works"),
    (ClientConnectorError, "nobody answers there", "let this machine reach it over port 443: no proxy is used"),
    (Redirected, "it sends us elsewhere, and nobody follows", "see whether a proxy or a portal stands between"),
    (Astray, "its address is not one that may be asked here", "see what loopback_only says"),
    (TooLong, "what answers there is not the provider", "see whether a proxy or a portal stands between"),
    (TimeoutError, "it does not answer", "let this machine reach it over port 443: no proxy is used"),
    (ClientError, "the connection breaks off", "try again; if it stays so, see whether a proxy stands between"),
)


def unreached(name: str, error: ClientError | HttpUrlError) -> Finding:
    """Say why a provider cannot be asked."""
    if isinstance(error, HttpUrlError):
        return problem(name, str(error), "correct the provider's address, or unset loopback_only")
    return next(problem(name, wrong, remedy) for kind, wrong, remedy in UNREACHED if isinstance(error, kind))


def clock(name: str, headers: Mapping[str, str], before: datetime, after: datetime) -> list[Finding]:
    """Compare the provider's clock with ours by the date of an answer; nothing where it has none."""
    theirs = http_date(headers.get("date"))
    if theirs is None:
        return []
    ahead_s = apart_s(theirs, before, after, DATE_GRAIN_S)
    if abs(ahead_s) <= CLOCK_S_MAX:
        return [ok(name)]
    way = "behind" if ahead_s > 0 else "ahead of"
    wrong = f"this machine's clock is {abs(ahead_s):.0f} s {way} the provider's"
    say = problem if abs(ahead_s) > CLOCK_S_UNSAFE else warning
    return [say(name, wrong, "let this machine keep time by NTP: what was sent is looked for by its time")]
