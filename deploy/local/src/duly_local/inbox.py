"""The mail inbox: an SMTP server on loopback that puts every mail into a folder (`python -m duly_local.inbox`).

It says 250 only when the mail stands under its final name (see `mailbox`). It takes mail for everybody, from
this machine only, up to 1 MB each, and checks nothing else: it stands in for a mail server in demo and replay.
With `--http-port` it shows the mails on a page (see `page`).
"""

import argparse
import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from duly_local.mailbox import Mailbox
from duly_local.page.server import serving
from duly_local.page.services import Services
from duly_local.ports import HOST

MAIL_BYTES_MAX = 1_000_000
CONNECTIONS_MAX = 200
IDLE_S = 300.0


class Handler:
    """What aiosmtpd asks us about a mail."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str | None, options: list[str]
    ) -> str:
        """Take any sender whose address fits on one line."""
        if not _one_line(address or ""):
            return "553 5.1.7 control characters in the address"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take any recipient whose address fits on one line: it becomes a header of the stored mail."""
        if not _one_line(address):
            return "553 5.1.3 control characters in the address"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Store the mail, then accept it. Writing in place is faster than a thread: it takes 0.1 ms."""
        body = envelope.content
        if not isinstance(body, bytes):
            return "554 5.6.0 no body"
        try:
            place = self._mailbox.put(envelope.mail_from, envelope.rcpt_tos, body)
        except OSError as error:
            return f"452 4.3.1 cannot store the mail: {error.strerror}"
        return f"250 2.0.0 OK {place.stem}"


class Door:
    """Makes one SMTP session for each connection, up to a limit."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.open = 0

    def __call__(self) -> SMTP:
        """Return the protocol for a new connection."""
        return _Session(self, self._handler)


class _Session(SMTP):
    def __init__(self, door: Door, handler: Handler) -> None:
        super().__init__(
            handler,
            data_size_limit=MAIL_BYTES_MAX,
            enable_SMTPUTF8=True,
            hostname="localhost",  # else it asks DNS for the machine's name at each connection
            ident="Duly inbox",
            timeout=IDLE_S,
        )
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._door.open += 1
        if self._door.open > CONNECTIONS_MAX and isinstance(transport, asyncio.Transport):
            transport.write(b"421 4.3.2 too many connections\r\n")
            transport.close()
        else:
            super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._door.open -= 1
        super().connection_lost(error)


def _one_line(address: str) -> bool:
    return all(character.isprintable() or not character.isascii() for character in address)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT. The page comes first: who is greeted by SMTP finds it there."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    mailbox = Mailbox(arguments.dir)
    async with AsyncExitStack() as page:
        if arguments.http_port is not None:
            services = Services(arguments.services, token())
            names: Sequence[str] = arguments.http_name
            new = arguments.dir / "new"
            where = serving(new, arguments.host, arguments.http_port, services=services, names=names)
            await page.enter_async_context(where)
        server = await loop.create_server(Door(Handler(mailbox)), arguments.host, arguments.port)
        await ended.wait()
        server.close()


def token() -> str | None:
    """Return what services ask for that do not listen on loopback: DULY_HTTP_TOKEN, or the file that names it."""
    if said := os.environ.get("DULY_HTTP_TOKEN"):
        return said
    named = os.environ.get("DULY_HTTP_TOKEN_FILE")
    return Path(named).read_text(encoding="utf-8").strip() if named else None


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m duly_local.inbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="the SMTP port")
    parser.add_argument("--dir", type=Path, required=True, help="the folder; mails appear below DIR/new")
    parser.add_argument("--http-port", type=int, help="the page's port; without it there is no page")
    parser.add_argument(
        "--host",
        default=HOST,
        help=f"the address of both; default {HOST}. On any other, whoever reaches it sends and reads mails: for a "
        "container, whose ports are published on loopback",
    )
    parser.add_argument(
        "--http-name",
        action="append",
        default=[],
        help="a name besides this machine's own by which the page may be asked for; may be repeated",
    )
    parser.add_argument(
        "--services", type=Path, help="the file that says where services answer, as `duly up` writes it"
    )
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
