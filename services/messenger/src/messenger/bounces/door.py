"""The door for mail that came back: an SMTP server for the relay, off unless a port is set.

It takes mail for our bounce domain only, says 250 when the row is committed and 451 while the database is away, so
that the relay keeps it and comes again. A forged return address is taken and dropped: a refusal would make the
relay answer somebody. The protocol is aiosmtpd's; the limits are here.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiosmtpd.smtp import SMTP, Envelope, Session

from duly_chassis import crash, outbox
from duly_chassis.faults import fingerprint
from duly_chassis.logs import log
from duly_chassis.service import Context, Step
from messenger.bounces import taking
from messenger.bounces.dsn import MAIL_BYTES_MAX
from messenger.bounces.return_path import ReturnPath
from messenger.planning.hours import Hours
from messenger.store import Store

CONNECTIONS_MAX = 20
RECIPIENTS_MAX = 10  # a bounce has one
COMMANDS_MAX = 1_000  # of each kind in one connection; then the relay opens another
IDLE_S = 60.0
TAKING_S_MAX = 20.0
LATER = "451 4.3.0 not now, try again"

LOG = log("bounces")
Take = Callable[[bytes, list[str]], Awaitable[None]]


class Handler:
    """What aiosmtpd asks us about a mail."""

    def __init__(self, path: ReturnPath, take: Take) -> None:
        self._path = path
        self._take = take

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take mail for our bounce domain and no other: this is no relay."""
        if not self._path.ours(address):
            return "550 5.7.1 not for this server"
        if len(envelope.rcpt_tos) >= RECIPIENTS_MAX:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take the mail, then say so; whatever fails, the relay keeps it and comes again."""
        content = envelope.content
        try:
            async with asyncio.timeout(TAKING_S_MAX):
                await self._take(content if isinstance(content, bytes) else b"", envelope.rcpt_tos)
        except Exception as error:  # noqa: BLE001 - the database, or our own fault: neither may lose a bounce
            LOG.warning("bounce_waits", where=fingerprint(error))
            return LATER
        return "250 2.0.0 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Answer what broke the protocol itself, without a word of it."""
        LOG.warning("bounce_door_failed", where=fingerprint(error))
        return LATER


class BounceDoor:
    """The listener as a loop of the service: opened in its first round, looked after, closed at its end."""

    def __init__(self, path: ReturnPath, hours: Hours, host: str, port: int) -> None:
        self._path = path
        self._hours = hours
        self._where = host, port
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Transport] = set()
        self._context: Context

    @property
    def port(self) -> int:
        """The port it listens on; 0 while it does not."""
        return self._server.sockets[0].getsockname()[1] if self._server and self._server.sockets else 0

    def start(self, context: Context) -> Step:
        """Give the loop its round: listen, unless it does already."""
        self._context = context
        return self._step

    async def close(self) -> None:
        """Stop listening and hang up: what was not answered comes again."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for transport in tuple(self._sessions):
            transport.close()

    async def _step(self) -> bool:
        if self._server is None or not self._server.is_serving():
            handler = Handler(self._path, self._take)
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Session(handler, self._path.domain, self._sessions), *self._where
            )
            LOG.info("bounces_listening", port=self.port)
        return False

    async def _take(self, content: bytes, recipients: list[str]) -> None:
        mail = await taking.read(content)
        for recipient in recipients:
            async with self._context.database.transaction() as connection:
                tx = Store(connection)
                ticket, now = self._path.read(recipient), self._context.clock.now()
                taken = await taking.take(mail, ticket, now, tx, self._hours)
                await outbox.put(connection, self._context.source, tx.outgoing)
                crash.at("bounce-before-commit")
            crash.at("bounce-after-commit")
            self._context.metrics.bounces.labels("messenger", taken.kind).inc()
            self._context.committed()


class _Session(SMTP):
    """One connection, within the limits."""

    def __init__(self, handler: Handler, hostname: str, sessions: set[asyncio.Transport]) -> None:
        super().__init__(
            handler,
            data_size_limit=MAIL_BYTES_MAX,
            enable_SMTPUTF8=True,
            hostname=hostname,  # else it asks DNS for the machine's name at each connection
            ident="Duly",
            timeout=IDLE_S,
            command_call_limit=COMMANDS_MAX,
        )
        self._sessions = sessions

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            if len(self._sessions) >= CONNECTIONS_MAX:
                transport.write(b"421 4.3.2 too many connections\r\n")
                transport.close()
                return
            self._sessions.add(transport)
            self._own = transport
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        own = getattr(self, "_own", None)
        if own is not None:
            self._sessions.discard(own)
            super().connection_lost(error)
