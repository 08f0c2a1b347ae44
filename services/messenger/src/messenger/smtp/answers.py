"""What an SMTP server's words, and its silence, mean for a letter. Its codes stop in this file.

The border is the first byte of the body. Before it, whatever goes wrong, nothing was delivered. After it only
a whole 4xx or 5xx reply says so; everything else but 250 leaves us in doubt.
"""

import re
import ssl
from enum import StrEnum

from aiosmtplib import (
    SMTPException,
    SMTPResponse,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from messenger.channel import Accepted, Answer, InDoubt, Letter, RefusedForGood, RefusedForNow, message_id

COMPLETED = 250
CLOSING = 421  # the server ends the connection after it


class Step(StrEnum):
    """The command a reply answers; the value is our reason when it is refused."""

    SENDER = "sender_refused"
    RECIPIENT = "recipient_refused"
    DATA = "data_refused"
    CONTENT = "content_refused"  # the final dot


GOOD: dict[Step, frozenset[int]] = {
    Step.SENDER: frozenset({COMPLETED}),
    Step.RECIPIENT: frozenset({COMPLETED, 251}),  # 251: it will be forwarded
    Step.DATA: frozenset({354}),
    Step.CONTENT: frozenset({COMPLETED}),
}
FOR_NOW = range(400, 500)
FOR_GOOD = range(500, 600)
REPLY_CODES = range(200, 600)
OUT_OF_PLACE = "unexpected_reply"

FAILED = (SMTPException, OSError, ValueError)
"""All that aiosmtplib lets through; ValueError: words that cannot be decoded."""

SILENCES: tuple[tuple[type[Exception], str], ...] = (  # the first that fits; the last two are OSErrors both
    (ssl.SSLError, "tls_failed"),
    (SMTPTimeoutError, "timeout"),
    (TimeoutError, "timeout"),
    (SMTPServerDisconnected, "connection_lost"),
    (OSError, "connect_failed"),
)

ENHANCED_CODE = re.compile(r"[45]\.\d{1,3}\.\d{1,3}(?!\S)")


class Unreachable(Exception):
    """No connection that can be used: nothing about a letter, so every letter may be tried again."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.answer = RefusedForNow(reason, code)


def refusal(step: Step, reply: SMTPResponse) -> RefusedForNow | RefusedForGood | None:
    """Read a reply to MAIL, RCPT or DATA; None: go on."""
    if reply.code in GOOD[step]:
        return None
    if reply.code in FOR_GOOD:
        return RefusedForGood(step.value, code_of(reply))
    if reply.code in FOR_NOW:
        return RefusedForNow(step.value, code_of(reply))
    return RefusedForNow(OUT_OF_PLACE, code_of(reply))


def verdict(letter: Letter, reply: SMTPResponse) -> Answer:
    """Read the reply to the final dot: the only one that can say a letter was taken."""
    if reply.code in GOOD[Step.CONTENT]:
        return Accepted(message_id(letter.outreach_id, letter.sender))
    if reply.code in FOR_GOOD:
        return RefusedForGood(Step.CONTENT.value, code_of(reply))
    if reply.code in FOR_NOW:
        return RefusedForNow(Step.CONTENT.value, code_of(reply))
    return InDoubt(OUT_OF_PLACE, code_of(reply))


def failure(error: Exception, refused: str = OUT_OF_PLACE) -> tuple[str, str]:
    """Give reason and code for an error of the library; `refused` is the reason if the server said no."""
    if isinstance(error, SMTPResponseException):
        return refused, code_of(SMTPResponse(error.code, error.message))
    for kind, reason in SILENCES:
        if isinstance(error, kind) or isinstance(error.__cause__, kind):
            return reason, ""
    return refused, ""


def code_of(reply: SMTPResponse) -> str:
    """Give the code as evidence, with the enhanced one (RFC 3463); never the text, it may hold addresses."""
    if reply.code not in REPLY_CODES:
        return "malformed"
    enhanced = ENHANCED_CODE.match(reply.message)
    return f"{reply.code} {enhanced.group()}" if enhanced else str(reply.code)
