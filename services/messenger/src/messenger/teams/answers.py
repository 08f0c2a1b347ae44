"""What the webhook of a Teams workflow answers, and what it means for a message. Its codes stop in this file.

Taken: 202 without a word (a workflow), or 200 and `1` (an old connector, which says in a 200 what went wrong, too).
Refused for certain: the statuses of these tables. All else is doubt, for nobody can be asked afterwards.
"""

import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus

from messenger.channel import Accepted, Answer, InDoubt, RefusedForGood, RefusedForNow

UNREADABLE = "unexpected_reply"
TAKEN: dict[int, bytes] = {HTTPStatus.ACCEPTED: b"", HTTPStatus.OK: b"1"}
"""The whole body of an answer that says it was taken, by status."""

OF_THE_WEBHOOK: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "auth_failed",
    HTTPStatus.FORBIDDEN: "auth_failed",
    HTTPStatus.NOT_FOUND: "webhook_gone",
    HTTPStatus.GONE: "webhook_gone",
}
"""Nothing was taken, nor will anything else of this tenant be until somebody sets the webhook right."""

OF_THE_CARD: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "card_refused",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "payload_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "card_refused",
}
"""What we posted is not taken, and would not be tomorrow."""

SWITCHED_OFF = "WorkflowTriggerIsNotEnabled"  # with 400, although it is nothing of ours
OLD_FAILURE = re.compile(rb"Webhook message delivery failed with error: .{0,60}HTTP error ([0-9]{3})\b")
RUN_ID = re.compile(r"[A-Za-z0-9]{1,64}")


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer."""

    status: int
    body: bytes = field(default=b"", repr=False)
    run: str = field(default="", repr=False)  # the workflow's run, where it is told
    after_s: float | None = None


def verdict(reply: Reply) -> Answer:
    """Read the answer to a post."""
    body = reply.body.strip()
    if TAKEN.get(reply.status) == body:
        return Accepted(f"run-{reply.run}" if RUN_ID.fullmatch(reply.run) else f"http-{reply.status}")
    status = told_inside(body) if reply.status == HTTPStatus.OK else reply.status
    return refusal(status, body, reply.after_s) or InDoubt(
        "provider_failed" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else UNREADABLE, str(status)
    )


def refusal(status: int, body: bytes, after_s: float | None) -> RefusedForNow | RefusedForGood | None:
    """Read what says for certain that nothing was taken; None where it does not."""
    code = str(status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RefusedForNow("rate_limited", code, after_s, "account")
    if status == HTTPStatus.BAD_REQUEST and word(body) == SWITCHED_OFF:
        return RefusedForNow("workflow_off", SWITCHED_OFF, after_s, "account")
    if status in OF_THE_WEBHOOK:
        return RefusedForNow(OF_THE_WEBHOOK[status], code, after_s, "account")
    return RefusedForGood(OF_THE_CARD[status], code) if status in OF_THE_CARD else None


def told_inside(body: bytes) -> int:
    """Return the status that an old connector tells in the text of a 200; 200 where it tells none."""
    found = OLD_FAILURE.match(body)
    return int(found[1]) if found else int(HTTPStatus.OK)


def word(body: bytes) -> str:
    """Return the code of an error as workflows write it; '' where there is none."""
    try:
        said = json.loads(body)["error"]["code"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
    return said if isinstance(said, str) else ""
