"""What Slack's words, and its silence, mean for a message. Its codes stop in this file.

The border is the first byte of chat.postMessage. Before it, whatever goes wrong, nothing was posted. After it only a
whole refusal that stands in this table says so; everything else but `ok` with a time stamp leaves us in doubt.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from messenger.channel import Accepted, Answer, InDoubt, Letter, RefusedForGood, RefusedForNow

OK, TOO_MANY = 200, 429
REFUSING = range(400, 500)
UNREADABLE = "unexpected_reply"
RATE_LIMITED = frozenset({"ratelimited", "rate_limited"})

OF_THE_ACCOUNT = {
    "auth_failed": (
        *("not_authed", "invalid_auth", "account_inactive", "token_revoked", "token_expired", "access_denied"),
        *("org_login_required", "ekm_access_denied", "team_access_not_granted", "two_factor_setup_required"),
    ),
    "scope_missing": ("missing_scope", "no_permission", "not_allowed_token_type", "messages_tab_disabled"),
}
"""Nothing was posted, nor will anything else be until somebody sets it right: it concerns all that this token sends."""

OF_THE_ADDRESS = frozenset(
    {
        *("users_not_found", "user_not_found", "user_not_visible", "user_disabled", "user_deactivated"),
        *("users_list_not_supplied", "cannot_dm_bot", "invalid_user_combination", "channel_not_found", "is_archived"),
        *("not_in_channel", "restricted_action", "restricted_action_read_only_channel"),
        *("restricted_action_thread_only_channel", "restricted_action_non_threadable_channel"),
    }
)
"""Nobody can be reached at this address: the next channel is tried."""

OF_THE_TEXT = frozenset(
    {
        *("no_text", "msg_too_long", "msg_blocks_too_long", "too_many_attachments", "invalid_blocks"),
        *("invalid_blocks_format", "invalid_metadata_format", "invalid_metadata_schema", "metadata_too_large"),
        *("invalid_arguments", "invalid_json", "json_not_object"),
    }
)
"""What we said cannot be posted, and would not be tomorrow."""

TIME_STAMP = re.compile(r"[0-9]{1,16}(\.[0-9]{1,9})?")
ERROR_CODE = re.compile(r"[a-z][a-z0-9_]{0,59}")
CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]{5,30}")
"""How people write a channel where they could as well write a mail address."""
SLACKS_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""What Slack itself calls a user or a place: its pages promise no more of it than that it is one word."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer of Slack's; `data` is empty where the body was no JSON object."""

    status: int
    data: Mapping[str, Any] = field(repr=False)
    after_s: float | None = None

    @property
    def fine(self) -> bool:
        """Tell whether it says yes."""
        return self.status == OK and self.data.get("ok") is True

    @property
    def code(self) -> str:
        """Return Slack's word for what went wrong, or else the HTTP status; never more of its text."""
        error = self.data.get("error")
        return error if isinstance(error, str) and ERROR_CODE.fullmatch(error) else str(self.status)

    def inner(self, *names: str) -> Any:
        """Return what stands at this place of the answer, or None."""
        found: Any = self.data
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found


def refusal(reply: Reply) -> RefusedForNow | RefusedForGood | None:
    """Read a refusal that is certain; None: this says nothing certain."""
    code = reply.code
    if reply.status == TOO_MANY or (code in RATE_LIMITED and reply.status == OK):
        return RefusedForNow("rate_limited", code, reply.after_s)
    if not (reply.status == OK or reply.status in REFUSING) or reply.data.get("ok") is not False:
        return None
    for reason, codes in OF_THE_ACCOUNT.items():
        if code in codes:
            return RefusedForNow(reason, code, reply.after_s, "account")
    if code in OF_THE_ADDRESS:
        return RefusedForGood(code, code, address=True)
    return RefusedForGood(code, code) if code in OF_THE_TEXT else None


def unposted(reply: Reply) -> RefusedForNow | RefusedForGood:
    """Read a refusal of what is asked before the post; its limits are the method's, so the whole account waits."""
    refused = refusal(reply)
    if refused is None:
        return RefusedForNow("provider_failed" if not reply.fine else UNREADABLE, reply.code)
    if isinstance(refused, RefusedForNow) and refused.reason == "rate_limited":
        return RefusedForNow(refused.reason, refused.code, refused.after_s, "account")
    return refused


def verdict(letter: Letter, channel: str, reply: Reply) -> Answer:
    """Read the answer to chat.postMessage: the only one that can say a message was posted."""
    if not reply.fine:
        return refusal(reply) or InDoubt("provider_failed" if reply.data else UNREADABLE, reply.code)
    stamp, posted_in = reply.data.get("ts"), reply.data.get("channel")
    if not isinstance(stamp, str) or not TIME_STAMP.fullmatch(stamp):
        return InDoubt(UNREADABLE, "no_ts")
    if not isinstance(posted_in, str) or not SLACKS_ID.fullmatch(posted_in):
        return InDoubt(UNREADABLE, "no_channel")
    if not channel.startswith("#") and posted_in != channel:
        return InDoubt("another_channel")
    told = reply.inner("message", "metadata", "event_payload", "outreach_id")
    if told is not None and told != str(letter.outreach_id):
        return InDoubt("another_message")
    return Accepted(provider_id(posted_in, stamp))


def provider_id(channel: str, stamp: str) -> str:
    """Name a message as Slack finds it: by its channel and its time."""
    return f"{channel}/{stamp}"
