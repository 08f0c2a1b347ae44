"""One connection to the relay, for one letter after another: its envelope, the gate's place, its body, the answer.

aiosmtplib opens the session (smtp/connect.py). It would write DATA, await the 354, write the body and await the
answer in one call; here the same is done in steps, so that the gate fits between, and the three commands before it
go in one packet where the server offers PIPELINING (RFC 2920).
"""

import asyncio
import re
from collections.abc import Collection, Sequence
from time import monotonic

from aiosmtplib import SMTPResponse, SMTPServerDisconnected
from aiosmtplib.protocol import normalize_message_line_endings

from messenger.channel import Answer, InDoubt, Letter, RefusedForGood, RefusedForNow
from messenger.smtp.answers import (
    CLOSING,
    COMPLETED,
    FAILED,
    OUT_OF_PLACE,
    Step,
    failure,
    refusal,
    verdict,
)
from messenger.smtp.relay import SmtpSettings
from messenger.smtp.replies import Replies

BAD_ADDRESS = re.compile(r"[\x00-\x20\x7f<>()\[\],:;\\\"]")  # would end the address, or begin another command


class Connection:
    """A session with the relay, logged in, used for one letter after another."""

    def __init__(self, replies: Replies, extensions: Collection[str], settings: SmtpSettings) -> None:
        self._replies = replies
        self._pipelining = "pipelining" in extensions
        self._international = "smtputf8" in extensions
        self._settings = settings
        self._mails = 0
        self._sound = True  # false: we no longer know what the server's next word answers
        self._used_at = self._begun_at = monotonic()

    @property
    def usable(self) -> bool:
        """Tell whether another letter may go over it."""
        return (
            self._sound
            and self._replies.is_connected
            and self._replies.quiet
            and self._mails < self._settings.mails_max
            and monotonic() - self._used_at < self._settings.idle_s_max
        )

    async def envelope(self, letter: Letter) -> Answer | None:
        """Bring a letter up to its 354; None: the server awaits the body. Nothing is delivered by it."""
        addresses = (_sender(letter), letter.recipient)
        if any(BAD_ADDRESS.search(address) for address in addresses):
            return RefusedForGood("address_invalid")
        international = not "".join(addresses).isascii()
        if international and not self._international:
            return RefusedForGood("address_not_supported")
        if not self._replies.quiet:
            self._sound = False
            return RefusedForNow(OUT_OF_PLACE)
        try:
            refused = await self._asked(_commands(letter, b" BODY=8BITMIME SMTPUTF8" if international else b""))
        except FAILED as error:
            self._sound = False
            return RefusedForNow(*failure(error))
        if refused is None and not self._replies.quiet:
            # More replies than commands: the last would be taken for the answer to the body.
            self._sound = False
            return RefusedForNow(OUT_OF_PLACE)
        return refused

    def begin_body(self, letter: Letter) -> RefusedForNow | None:
        """Write the body with its final dot; not None: nothing was written. Never waits, so a gate holds."""
        body = normalized(letter.content)
        if self._replies.quiet and self._replies.is_connected:
            try:
                self._replies.say(body)
            except SMTPServerDisconnected:
                pass
            else:
                self._mails += 1
                self._begun_at = monotonic()
                return None
        self._sound = False
        return RefusedForNow("connection_lost")

    async def takes_from(self, sender: str) -> RefusedForNow | RefusedForGood | None:
        """Ask whether it takes mail from this address, and take that back; no recipient is named, so nothing is sent.

        None: it does. Raises what the library lets through (FAILED).
        """
        if BAD_ADDRESS.search(sender):
            return RefusedForGood("address_invalid")
        if not sender.isascii() and not self._international:
            return RefusedForGood("address_not_supported")
        options = b"" if sender.isascii() else b" BODY=8BITMIME SMTPUTF8"
        refused = refusal(Step.SENDER, await self._command(b"MAIL FROM:<%b>%b\r\n" % (sender.encode(), options)))
        await self._reset(())
        return refused

    @property
    def body_written(self) -> bool:
        """Tell whether the last byte has left this process."""
        transport = self._replies.transport
        return not isinstance(transport, asyncio.WriteTransport) or transport.get_write_buffer_size() == 0

    async def answer(self, letter: Letter) -> Answer:
        """Await what the server says to the final dot. From here on silence is doubt."""
        try:
            reply = await self._replies.reply(self._begun_at + self._settings.timeout_s - monotonic())
        except FAILED as error:
            self._sound = False
            return InDoubt(*failure(error))
        self._used_at = monotonic()
        answer = verdict(letter, reply)
        understood = not isinstance(answer, InDoubt) and reply.code != CLOSING
        self._sound = self._sound and understood and self._replies.quiet
        return answer

    async def quit(self) -> None:
        """Take leave, if the server is still listening."""
        try:
            async with asyncio.timeout(1):
                await self._command(b"QUIT\r\n")
        except FAILED:  # it hangs up first, or not in time: the same to us
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """Hang up now. What is still unwritten stays unwritten: the final dot must not leave later."""
        transport = self._replies.transport
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
        self._sound = False

    async def _asked(self, commands: Sequence[tuple[Step, bytes]]) -> RefusedForNow | RefusedForGood | None:
        """Say MAIL, RCPT and DATA, in one packet if the server can take them so; None: it said 354."""
        if self._pipelining:
            self._replies.say(b"".join(line for _, line in commands), len(commands))
        for number, (step, line) in enumerate(commands, 1):
            if not self._pipelining:
                self._replies.say(line)
            refused = refusal(step, await self._reply())
            if refused is not None:
                self._sound = self._sound and refused.reason != OUT_OF_PLACE
                await self._reset(commands[number:] if self._pipelining else ())
                return refused
        return None

    async def _reset(self, said: Sequence[tuple[Step, bytes]]) -> None:
        """Make the connection fit for the next letter, or give it up; `said` are commands still to be answered.

        The verdict on the letter stands, whatever becomes of the connection. A server that says 354 though it
        refused sender or recipient awaits a body for nobody: only hanging up ends that without one.
        """
        try:
            for step, _ in said:
                if self._sound:
                    refused = refusal(step, await self._reply())
                    fits = step is not Step.DATA if refused is None else refused.reason != OUT_OF_PLACE
                    self._sound = self._sound and fits
            if self._sound:
                self._sound = (await self._command(b"RSET\r\n")).code == COMPLETED and self._sound
        except FAILED:
            self._sound = False
        self._sound = self._sound and self._replies.quiet

    async def _command(self, line: bytes) -> SMTPResponse:
        self._replies.say(line)
        return await self._reply()

    async def _reply(self) -> SMTPResponse:
        """Hear the next reply; a server that closes is left."""
        reply = await self._replies.reply(self._settings.timeout_s)
        self._used_at = monotonic()
        self._sound = self._sound and reply.code != CLOSING
        return reply


def _commands(letter: Letter, options: bytes) -> tuple[tuple[Step, bytes], ...]:
    return (
        (Step.SENDER, b"MAIL FROM:<%b>%b\r\n" % (_sender(letter).encode(), options)),
        (Step.RECIPIENT, b"RCPT TO:<%b>\r\n" % letter.recipient.encode()),
        (Step.DATA, b"DATA\r\n"),
    )


def _sender(letter: Letter) -> str:
    return letter.return_path or letter.sender


def normalized(content: bytes) -> bytes:
    """Prepare a body for the wire: CRLF line ends, leading dots doubled, the final dot (RFC 5321)."""
    ends = content.count(b"\r\n")
    if not (ends == content.count(b"\n") == content.count(b"\r") and content.endswith(b"\r\n")):
        content = normalize_message_line_endings(content)
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"
