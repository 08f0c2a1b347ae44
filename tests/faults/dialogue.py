"""The lying server's side of one SMTP connection."""

import asyncio
import hashlib
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from tests.faults.logs import Log, SyncedLog
from tests.faults.plan import IN_THE_OPEN, NO_TLS, REFUSED_FOR_GOOD, TLS_FAILURES, Fault, Plan, Where
from tests.faults.tls import Contexts

LINE_BYTES_MAX = 4_096
MAIL_BYTES_MAX = 1_000_000
CONNECTIONS_MAX = 200
TURN_S = 0.002
HANDSHAKE_S = 10.0
GARBAGE = b"this is no TLS\r\n"
DRIP_S = 0.08
"""Between two bytes of a slow 250: a few seconds in all, well within a client's patience."""
SLOW_S = 33.0
"""Until a 250 that comes later than any client waits; Duly waits for 30 s."""
DEEDS = {Where.DRIP: "dripped", Where.SLOW: "answered late", Where.BOUNCED: "taken, to come back"}
TAKEN = frozenset({Where.ACCEPTED, Where.DRIP, Where.SLOW, Where.BOUNCED})
TOKEN = re.compile(rb"\b(?:CNRY|TRNG)[0-9A-Za-z]+")
"""What a campaign plants in names and titles, to see whose data a mail carries."""
KEPT_HEADERS = ("to", "date", "message-id", "duly-outreach-id", "duly-about", "duly-step")


@dataclass(slots=True)
class Mailbox:
    """What all connections share."""

    plan: Plan
    accepts: SyncedLog
    faults: Log
    tls: Contexts | None = None  # offered, and then demanded
    connections: int = 0
    turned: tuple[float, float] | None = None
    """The last two turns of the loop: what is read now had not arrived at the first of them, or it was read before."""

    async def turn(self) -> None:
        """Note the turns, between any two of which the loop asks every socket."""
        last = time.time()
        while True:
            await asyncio.sleep(TURN_S)
            now = time.time()
            self.turned, last = (last, now), now


class Dialogue(asyncio.Protocol):
    """One connection. Commands may be pipelined: what follows a mail waits until the mail is on the disk."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._transport: asyncio.Transport
        self._unread = bytearray()
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._reading_body = False
        self._paused = False  # the last mail is on its way to the disk, or the connection is ending
        self._fault: Fault | None = None  # decided once the headers of the body are there
        self._headers: dict[str, str] | None = None
        self._begun_at: float | None = None  # when the first bytes of the body were read
        self._after: float | None = None  # they arrived later than that
        self._secure = False
        self._gone = False
        self._upgrading: asyncio.Task[None] | None = None
        self._no_tls: Fault | None = None  # what is to be said to the first bytes of a handshake
        self._commands: dict[bytes, Callable[[str], None]] = {
            b"EHLO": self._ehlo,
            b"STAR": self._starttls,
            b"HELO": lambda _: self._reply("250 liar.test"),
            b"MAIL": self._mail,
            b"RCPT": self._rcpt,
            b"DATA": self._data,
            b"RSET": self._rset,
            b"NOOP": lambda _: self._reply("250 2.0.0 fine"),
            b"QUIT": lambda _: self._reply("221 2.0.0 bye", close=True),
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._mailbox.connections += 1
        if self._mailbox.connections > CONNECTIONS_MAX:
            self._reply("421 4.3.2 too many connections", close=True)
        else:
            self._reply("220 liar.test ESMTP")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self._mailbox.connections -= not self._gone
        self._gone = self._paused = True

    def data_received(self, data: bytes) -> None:
        if self._no_tls is not None:
            self._transport.write(GARBAGE)
            self._transport.close()
            return
        self._unread += data
        self._read_on()

    def _read_on(self) -> None:
        while not self._paused and (self._read_body() if self._reading_body else self._read_command()):
            pass

    def _read_command(self) -> bool:
        end = self._unread.find(b"\r\n")
        if end < 0:
            if len(self._unread) > LINE_BYTES_MAX:
                self._reply("500 5.5.2 line too long", close=True)
            return False
        line = bytes(self._unread[:end])
        del self._unread[: end + 2]
        command = self._commands.get(line[:4].upper())
        if command is None:
            self._reply("502 5.5.1 not known here")
        else:
            command(line.decode("utf-8", "replace"))
        return True

    def _ehlo(self, _: str) -> None:
        self._forget()
        offer = "250-STARTTLS\r\n" if self._mailbox.tls and not self._secure else ""
        self._reply(f"250-liar.test\r\n{offer}250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE {MAIL_BYTES_MAX}")

    def _starttls(self, _: str) -> None:
        if self._mailbox.tls is None or self._secure:
            self._reply("503 5.5.1 not here")
            return
        fault = self._mailbox.plan.at_starttls()
        if fault is not None:
            self._note(fault)
        if fault is not None and fault.code is not None:
            self._reply(f"{fault.code} 4.7.0 not now")
            return
        self._unread.clear()  # what follows it in the open was said by nobody knows whom
        if fault is not None and fault.where is Where.HANDSHAKE:
            self._no_tls = fault
        else:
            context = self._mailbox.tls.of(fault)
            self._paused = True
            self._transport.pause_reading()
            self._upgrading = asyncio.ensure_future(self._upgrade(context))
        self._reply("220 2.0.0 go ahead")

    async def _upgrade(self, context: ssl.SSLContext) -> None:
        """Go on under TLS, or not at all."""
        try:
            upgraded = await asyncio.get_running_loop().start_tls(
                self._transport, self, context, server_side=True, ssl_handshake_timeout=HANDSHAKE_S
            )
        except OSError:  # ssl.SSLError is one too: whoever called does not like what he was shown
            upgraded = None
        if upgraded is None:
            self.connection_lost(None)
            return
        self._transport = upgraded
        self._secure, self._paused = True, False
        self._read_on()

    def _mail(self, line: str) -> None:
        if self._mailbox.tls is not None and not self._secure:
            self._note(Fault(Where.MAIL), deed=IN_THE_OPEN)
            self._reply("530 5.7.0 STARTTLS first")
            return
        fault = self._mailbox.plan.at_mail()
        if fault is not None:
            self._lie(fault)
            return
        self._forget()
        self._sender = _address(line)
        self._reply("250 2.1.0 from")

    def _rcpt(self, line: str) -> None:
        address = _address(line)
        if self._sender is None:
            self._reply("503 5.5.1 MAIL first")
            return
        fault = self._mailbox.plan.at_rcpt(address)
        if fault is None:
            self._recipients.append(address)
            self._reply("250 2.1.5 to")
        else:
            self._lie(fault, address)

    def _data(self, _: str) -> None:
        if not self._recipients:
            self._reply("503 5.5.1 RCPT first")
            return
        fault = self._mailbox.plan.at_data(self._recipients[0])
        if fault is not None and fault.where is Where.DATA:
            self._lie(fault)
            return
        self._reply("354 go ahead")
        if fault is not None:
            self._lie(fault)
        self._reading_body = True

    def _rset(self, _: str) -> None:
        self._forget()
        self._reply("250 2.0.0 forgotten")

    def _read_body(self) -> bool:
        """Read on in a body; tell whether anything may stand behind it."""
        if self._begun_at is None and self._unread:
            self._begun_at = time.time()
            self._after = self._mailbox.turned[0] if self._mailbox.turned else None
        if self._headers is None:
            ended = self._unread.find(b"\r\n\r\n")
            if ended >= 0:
                self._meet(bytes(self._unread[:ended]))
        if self._fault is not None and self._fault.where is Where.MID_BODY:
            self._lie(self._fault)
            return False
        end = 0 if self._unread.startswith(b".\r\n") else self._unread.find(b"\r\n.\r\n") + 2
        if end < 2 and not self._unread.startswith(b".\r\n"):
            if len(self._unread) > MAIL_BYTES_MAX:
                self._reply("552 5.3.4 too big", close=True)
            return False
        mail = bytes(self._unread[:end])
        del self._unread[: end + 3]
        self._reading_body = False
        self._end_body(mail)
        return True

    def _meet(self, head: bytes) -> None:
        """Learn whose mail this is, which decides its fate."""
        self._headers = _headers(head)
        to = self._recipients[0]
        identity = self._headers["duly-outreach-id"] or self._headers["message-id"] or to
        self._fault = self._mailbox.plan.at_headers(identity, to)

    def _end_body(self, mail: bytes) -> None:
        if self._headers is None:  # no blank line: headers only, or nothing at all
            self._meet(mail)
        fault = self._fault
        if fault is not None and fault.where not in TAKEN:
            self._lie(fault)
            self._forget()
            return
        if fault is not None:
            self._note(fault)
        self._paused = True
        self._mailbox.accepts.add_then(self._accepted(mail), lambda: self._told(fault))

    def _accepted(self, mail: bytes) -> dict[str, Any]:
        if mail.startswith(b"."):
            mail = mail[1:]
        body = mail.replace(b"\r\n..", b"\r\n.").partition(b"\r\n\r\n")[2]
        return {
            "at": time.time(),
            "begun": self._begun_at,
            "after": self._after,
            "secure": self._secure,
            "from": self._sender,
            "to": self._recipients,
            "headers": self._headers,
            "body_sha256": hashlib.sha256(body).hexdigest(),
            "tokens": sorted({found.decode() for found in TOKEN.findall(mail.replace(b"=\r\n", b""))}),
        }

    def _told(self, fault: Fault | None) -> None:
        """Answer a mail that is safe on the disk, unless this is the one whose answer gets lost."""
        self._forget()
        if fault is not None and fault.where is Where.ACCEPTED:
            self._transport.abort()
        elif fault is not None and fault.where is Where.DRIP:
            self._drip(b"250 2.0.0 accepted\r\n")
        elif fault is not None and fault.where is Where.SLOW:
            asyncio.get_running_loop().call_later(SLOW_S, self._thanked)
        else:
            self._thanked()

    def _thanked(self) -> None:
        self._reply("250 2.0.0 accepted")
        self._paused = self._transport.is_closing()
        self._read_on()

    def _drip(self, left: bytes) -> None:
        """Let the answer out byte by byte, then read on."""
        if self._transport.is_closing():
            return
        if left:
            self._transport.write(left[:1])
            asyncio.get_running_loop().call_later(DRIP_S, self._drip, left[1:])
            return
        self._paused = False
        self._read_on()

    def _lie(self, fault: Fault, address: str | None = None) -> None:
        self._note(fault, address)
        if fault.code is not None:
            text = "4.3.0 not now" if fault.code < REFUSED_FOR_GOOD else "5.7.1 never"
            self._reply(f"{fault.code} {text}", close=fault.code == 421)
            return
        self._paused = True
        if fault.where is Where.AFTER_354:
            self._transport.close()  # the 354 still leaves
        else:
            self._transport.abort()

    def _note(self, fault: Fault, address: str | None = None, deed: str = "") -> None:
        """Log the lie before it is told."""
        self._mailbox.faults.add(
            {
                "at": time.time(),
                "deed": deed or _deed(fault),
                "where": fault.where,
                "code": fault.code,
                "to": address or (self._recipients[0] if self._recipients else None),
                "headers": self._headers,
            }
        )

    def _forget(self) -> None:
        self._sender, self._recipients, self._headers, self._fault = None, [], None, None
        self._begun_at = None

    def _reply(self, text: str, *, close: bool = False) -> None:
        if not self._transport.is_closing():
            self._transport.write(text.encode("ascii") + b"\r\n")
        if close:
            self._paused = True
            self._transport.close()


def _deed(fault: Fault) -> str:
    if fault.where in TLS_FAILURES:
        return NO_TLS
    if fault.where in DEEDS:
        return DEEDS[fault.where]
    return "cut" if fault.code is None else "refused"


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


def _headers(head: bytes) -> dict[str, str]:
    """Keep the headers the checker asks for, unfolded; an absent one is empty."""
    kept = dict.fromkeys(KEPT_HEADERS, "")
    unfolded = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").decode("utf-8", "replace")
    for line in unfolded.split("\r\n"):
        name, _, value = line.partition(":")
        name = name.lower()
        if name in kept and not kept[name]:
            kept[name] = value.strip()
    return kept
