"""One connection to the relay: aiosmtplib, with its DATA command cut in two so that the gate fits between.

The library writes DATA, awaits the 354, writes the body and awaits the answer in one call. Here the same is
done in steps, with `SMTPProtocol.execute_command`, `write` and `read_response`; `_response_pending` and
`_buffer` are not public, so the version is pinned and test_smtp.py walks through every step.
"""

import asyncio
import re
from time import monotonic

from aiosmtplib import SMTP, SMTPResponse, SMTPServerDisconnected
from aiosmtplib.protocol import SMTPProtocol, normalize_message_line_endings

from messenger.channel import Answer, InDoubt, Letter, RefusedForGood, RefusedForNow
from messenger.smtp_answers import (
    CLOSING,
    COMPLETED,
    FAILED,
    OUT_OF_PLACE,
    Step,
    failure,
    refusal,
    verdict,
)
from messenger.smtp_settings import SmtpSettings

BAD_ADDRESS = re.compile(r"[\x00-\x20\x7f<>()\[\],:;\\\"]")  # would end the address, or begin another command


class Connection:
    """A session with the relay, logged in, used for one letter after another."""

    def __init__(self, client: SMTP, protocol: SMTPProtocol, settings: SmtpSettings) -> None:
        self._client = client
        self._protocol = protocol
        self._settings = settings
        self._mails = 0
        self._sound = True  # false: we no longer know what the server's next word answers
        self._used_at = monotonic()

    @property
    def usable(self) -> bool:
        """Tell whether another letter may go over it."""
        return (
            self._sound
            and self._protocol.is_connected
            and self._mails < self._settings.mails_max
            and monotonic() - self._used_at < self._settings.idle_s_max
        )

    async def command(self, *words: bytes) -> SMTPResponse:
        """Say one line and hear its answer; a server that closes, or says more than it was asked, is left."""
        self._used_at = monotonic()
        try:
            reply = await self._protocol.execute_command(*words, timeout=self._settings.timeout_s)
        except FAILED:
            self._sound = False
            raise
        self._sound = self._sound and reply.code != CLOSING and not self._has_leftovers()
        return reply

    async def envelope(self, letter: Letter) -> Answer | None:
        """Bring a letter up to its 354; None: the server awaits the body. Nothing is delivered by it."""
        if any(BAD_ADDRESS.search(address) for address in (letter.sender, letter.recipient)):
            return RefusedForGood("address_invalid")
        international = not (letter.sender + letter.recipient).isascii()
        if international and not self._client.supports_extension("smtputf8"):
            return RefusedForGood("address_not_supported")
        options = (b"BODY=8BITMIME", b"SMTPUTF8") if international else ()
        try:
            for step, words in (
                (Step.SENDER, (b"MAIL", b"FROM:<%b>" % letter.sender.encode(), *options)),
                (Step.RECIPIENT, (b"RCPT", b"TO:<%b>" % letter.recipient.encode())),
                (Step.DATA, (b"DATA",)),
            ):
                refused = refusal(step, await self.command(*words))
                if refused is not None:
                    await self._reset(in_order=refused.reason != OUT_OF_PLACE)
                    return refused
        except FAILED as error:
            return RefusedForNow(*failure(error))
        # Two replies in one packet: the second would be taken for the answer to the body.
        return None if self._sound else RefusedForNow(OUT_OF_PLACE)

    def begin_body(self, letter: Letter) -> RefusedForNow | None:
        """Write the body with its final dot; not None: nothing was written. Never waits, so a gate holds."""
        body = normalized(letter.content)
        if self._has_leftovers() or not self._protocol.is_connected:
            self._sound = False
            return RefusedForNow("connection_lost")
        self._protocol._response_pending = True  # noqa: SLF001 - as execute_data_command does before it writes
        try:
            self._protocol.write(body)
        except SMTPServerDisconnected:
            self._sound = False
            return RefusedForNow("connection_lost")
        self._mails += 1
        return None

    @property
    def body_written(self) -> bool:
        """Tell whether the last byte has left this process."""
        transport = self._protocol.transport
        return not isinstance(transport, asyncio.WriteTransport) or transport.get_write_buffer_size() == 0

    async def answer(self, letter: Letter) -> Answer:
        """Await what the server says to the final dot. From here on silence is doubt."""
        try:
            reply = await self._protocol.read_response(self._settings.timeout_s)
        except FAILED as error:
            self._sound = False
            return InDoubt(*failure(error))
        self._used_at = monotonic()
        answer = verdict(letter, reply)
        understood = not isinstance(answer, InDoubt) and reply.code != CLOSING
        self._sound = self._sound and understood and not self._has_leftovers()
        return answer

    async def quit(self) -> None:
        """Take leave, if the server is still listening."""
        try:
            async with asyncio.timeout(1):
                await self.command(b"QUIT")
        except FAILED:  # it hangs up first, or not in time: the same to us
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Hang up now. What is still unwritten stays unwritten: the final dot must not leave later."""
        transport = self._protocol.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        self._client.close()
        self._sound = False

    async def _reset(self, *, in_order: bool) -> None:
        """Make the connection fit for the next letter; after a word out of place it is given up instead."""
        self._sound = self._sound and in_order
        if not self._sound:
            return
        try:
            self._sound = (await self.command(b"RSET")).code == COMPLETED and self._sound
        except FAILED:  # the verdict on the letter stands, whatever becomes of the connection
            self._sound = False

    def _has_leftovers(self) -> bool:
        return bool(self._protocol._buffer)  # noqa: SLF001 - aiosmtplib parses it only when more arrives


def normalized(content: bytes) -> bytes:
    """Prepare a body for the wire: CRLF line ends, leading dots doubled, the final dot (RFC 5321)."""
    ends = content.count(b"\r\n")
    if not (ends == content.count(b"\n") == content.count(b"\r") and content.endswith(b"\r\n")):
        content = normalize_message_line_endings(content)
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"
