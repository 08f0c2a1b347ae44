"""How a session with the relay begins: TCP, greeting, EHLO, TLS, login; each failure under its own name."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtplib import SMTP

from duly_chassis.loopback import is_loopback
from messenger.smtp.answers import FAILED, Unreachable, failure
from messenger.smtp.connection import Connection
from messenger.smtp.relay import SmtpSettings
from messenger.smtp.replies import Replies

EXTENSIONS = ("pipelining", "smtputf8")  # those that change what we say


async def connect(settings: SmtpSettings, tls: ssl.SSLContext | None) -> Connection:
    """Open a session; whatever fails says nothing about a letter: Unreachable."""
    try:
        async with asyncio.timeout(settings.connect_timeout_s):
            return await _session(settings, tls)
    except TimeoutError:
        raise Unreachable("timeout") from None


async def _session(settings: SmtpSettings, tls: ssl.SSLContext | None) -> Connection:
    with _refused_as("connect_failed"):
        reached = await _reach(settings)
    client = SMTP(
        hostname=settings.host,
        sock=reached,
        local_hostname=settings.local_hostname,
        timeout=settings.timeout_s,
        use_tls=settings.tls == "tls",
        start_tls=False,  # done below, where its failures can be told apart
        tls_context=tls,
    )
    try:
        await _introduce(client, settings)
        return _held(client, settings)
    except BaseException:
        client.close()
        raise


async def _introduce(client: SMTP, settings: SmtpSettings) -> None:
    with _refused_as("greeting_refused"):
        await client.connect()
        await client.ehlo()
    if settings.tls == "starttls":
        if not client.supports_extension("starttls"):
            raise Unreachable("starttls_not_offered")  # going on would mean going on in the open
        with _refused_as("starttls_refused"):
            await client.starttls()
            await client.ehlo()
    if settings.username is not None:
        with _refused_as("auth_failed"):
            await client.login(settings.username, settings.password or "")


def _held(client: SMTP, settings: SmtpSettings) -> Connection:
    if client.protocol is None or not isinstance(client.transport, asyncio.Transport):  # it hung up after its last word
        raise Unreachable("connection_lost")
    extensions = frozenset(name for name in EXTENSIONS if client.supports_extension(name))
    return Connection(Replies(client.protocol, client.transport), extensions, settings)


async def _reach(settings: SmtpSettings) -> socket.socket:
    """Connect to the first address that answers: the very address that was checked, not its name again."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    if settings.loopback_only and not all(is_loopback(str(address[0])) for *_, address in found):
        raise Unreachable("host_not_permitted")
    error = OSError("no address")
    for family, kind, protocol, _, address in found:
        attempt = socket.socket(family, kind, protocol)
        try:
            attempt.setblocking(False)
            await loop.sock_connect(attempt, address)
        except BaseException as refused:
            attempt.close()
            if not isinstance(refused, OSError):
                raise
            error = refused
        else:
            return attempt
    raise error


@contextmanager
def _refused_as(reason: str) -> Iterator[None]:
    try:
        yield
    except FAILED as error:
        raise Unreachable(*failure(error, reason)) from None
