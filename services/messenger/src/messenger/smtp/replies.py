"""The server's replies, each to the command it answers: several may share a packet, one may come in several.

aiosmtplib opens the session; then this protocol takes the transport over, because the library discards or mixes up
what comes in a packet behind the first reply, and with PIPELINING (RFC 2920) that is the rule. Its parser with its
limits is still the library's: `_read_response_from_buffer` and `_buffer` are not public, so the version is pinned.
"""

import asyncio
from collections import deque

from aiosmtplib import SMTPResponse, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import MAX_RESPONSE_LENGTH, SMTPProtocol

MALFORMED = -1


class Replies(SMTPProtocol):
    """Says commands, and hands out as many replies as were asked for, in their order."""

    def __init__(self, before: SMTPProtocol, transport: asyncio.Transport) -> None:
        super().__init__(asyncio.get_running_loop())
        self._owed = 0  # replies to commands that were said, not yet heard
        self._heard: deque[SMTPResponse] = deque()
        self._failure: Exception | None = None  # nothing can be heard after it
        self._waiter: asyncio.Future[None] | None = None
        self._buffer += before._buffer  # noqa: SLF001 - what came behind the last reply stays a word out of turn
        self.connection_made(transport)
        transport.set_protocol(self)

    @property
    def quiet(self) -> bool:
        """Tell whether the server said nothing but what it was asked for."""
        return not (self._buffer or self._heard or self._failure)

    def say(self, commands: bytes, replies: int = 1) -> None:
        """Write commands that are answered with so many replies; raises SMTPServerDisconnected."""
        self._owed += replies
        self.write(commands)

    async def reply(self, timeout_s: float) -> SMTPResponse:
        """Await the next reply; what was heard before a cut is still handed out."""
        if not self._heard and self._failure is None:
            self._waiter = self._loop.create_future()
            async with asyncio.timeout(timeout_s):
                await self._waiter
        if self._heard:
            return self._heard.popleft()
        raise self._failure or SMTPServerDisconnected("Connection lost")

    def data_received(self, data: bytes) -> None:
        """Hear as many whole replies as are owed; more is kept as the word out of turn that it is."""
        if self._failure is not None:
            return
        self._buffer += data
        try:
            while self._owed and (reply := self._read_response_from_buffer()) is not None:
                self._owed -= 1
                self._heard.append(reply)
        except SMTPResponseException as error:
            self._fail(error)
        if len(self._buffer) > MAX_RESPONSE_LENGTH:
            self._fail(SMTPResponseException(MALFORMED, "Response too long"))
        if self._heard:
            self._wake()

    def eof_received(self) -> bool:
        """Take the server's end of the line for the end of the session."""
        self._fail(SMTPServerDisconnected("Unexpected EOF received"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        super().connection_lost(exc)
        lost = SMTPServerDisconnected("Connection lost")
        lost.__cause__ = exc
        self._fail(lost)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
