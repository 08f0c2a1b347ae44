"""What Twilio's answers mean for a text. Its codes and words stop in this file.

A text is taken where the answer names its SID, and refused for certain where a code says so that is known to; all else
is doubt. https://www.twilio.com/docs/api/errors has the codes.
"""

from http import HTTPStatus
from typing import Any

from aiohttp import ClientError
from twilio.base.exceptions import TwilioException

from messenger.channel import (
    Accepted,
    Answer,
    Found,
    InDoubt,
    Letter,
    NotAsked,
    RefusedForGood,
    RefusedForNow,
    Unclear,
)
from messenger.http.client import Astray, Redirected, TooLong
from messenger.http.gate import reason_of
from messenger.twilio.client import Heard

TOO_MANY, AUTHENTICATE = 20429, 20003
REFUSED: dict[int, tuple[str, bool]] = {  # by code: our reason, and whether it is the number that cannot be reached
    21211: ("number_invalid", True),
    21408: ("region_not_enabled", True),
    21606: ("sender_refused", False),
    21610: ("opted_out", True),  # somebody texted STOP; Twilio's own list is the only one that is complete
    21614: ("number_not_mobile", True),
}
FAILED = {"failed", "undelivered", "canceled"}
UNREACHABLE = {*(code for code, (_, address) in REFUSED.items() if address), 30003, 30004, 30005, 30006}
"""Codes of a text that failed later because of its number: off, blocked, unknown, a landline."""
SID_CHARACTERS_MAX = 64
SERVER_ERRORS = range(500, 600)
CLIENT_ERRORS = range(400, 500)


def refusal(error: TwilioException, heard: Heard) -> Answer:
    """Read an answer that is no text: by the status that came, and the code where the body has one."""
    code = code_of(error)
    shown = str(code or heard.status)
    client_error = heard.status in CLIENT_ERRORS
    if heard.status == HTTPStatus.TOO_MANY_REQUESTS or (client_error and code == TOO_MANY):
        return RefusedForNow("rate_limited", shown, heard.after_s, "account")
    if heard.status == HTTPStatus.UNAUTHORIZED or (client_error and code == AUTHENTICATE):
        return RefusedForNow("auth_failed", shown, heard.after_s, "account")
    if client_error and code in REFUSED:
        reason, address = REFUSED[code]
        return RefusedForGood(reason, shown, address)
    return InDoubt("unexpected_reply", shown)


def taken(letter: Letter, message: Any) -> Answer:
    """Read the text that Twilio says it took; one to somebody else is no answer to ours."""
    sid = sid_of(message)
    if not sid:
        return InDoubt("sid_missing")
    if message.to is not None and message.to != letter.recipient:
        return InDoubt("answer_of_another")
    return settled(sid, message)


def settled(sid: str, message: Any) -> Accepted | RefusedForGood:
    """Say what became of a text that Twilio took: on its way, or failed since."""
    if message.status not in FAILED:
        return Accepted(sid)
    code = message.error_code
    known = isinstance(code, int) and not isinstance(code, bool)
    return RefusedForGood(f"text_{message.status}", str(code) if known else "", known and code in UNREACHABLE)


def unread(error: Exception, heard: Heard) -> Found:
    """Read a list that did not come: not asked, or asked and answered with what nobody can use."""
    if isinstance(error, Redirected | TooLong | Astray):
        return Unclear(reason_of(error))
    if isinstance(error, ClientError | OSError):  # a deadline that passed is one too
        return NotAsked(reason_of(error))
    shown = str(heard.status)
    if not isinstance(error, TwilioException) or heard.status == HTTPStatus.OK:
        return Unclear("list_malformed")
    if heard.status == HTTPStatus.TOO_MANY_REQUESTS:
        return NotAsked("rate_limited", shown, heard.after_s, "account")
    if heard.status == HTTPStatus.UNAUTHORIZED:
        return NotAsked("auth_failed", shown, heard.after_s, "account")
    return NotAsked("provider_error", shown) if heard.status in SERVER_ERRORS else Unclear("list_refused", shown)


def sid_of(message: Any) -> str:
    """Return a text's SID; nothing where it is none that could be kept as evidence."""
    sid = message.sid
    fits = isinstance(sid, str) and sid.isascii() and sid.isalnum() and len(sid) <= SID_CHARACTERS_MAX
    return sid if fits else ""


def code_of(error: TwilioException) -> int:
    """Return Twilio's own code; 0 where the error has none, for it may be anything that a body holds."""
    code = getattr(error, "code", None)
    return code if isinstance(code, int) and not isinstance(code, bool) and 0 < code < 1_000_000 else 0  # noqa: PLR2004
