"""What a service asks messenger to tell a person, and what became of it."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, Struct, field

from duly_contracts.event import OpaqueId, PersonEvent, ShortText, Utc, check_moments
from duly_contracts.topics import OUTREACH

Reason = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[a-z0-9_]+(?!\n)$")]
"""A short code, the same in events, tables, metrics and explanations."""


class Ending(Struct, frozen=True, kw_only=True):
    """A fact that makes a message pointless: of this type, about this thing, later than `after`.

    Without `after` any such fact ends it, whenever it became true.
    """

    type: Annotated[str, Meta(max_length=100)]
    about: OpaqueId
    after: Utc | None = None

    def __post_init__(self) -> None:
        """Hold `after` to what every moment of an event is held to."""
        check_moments(self, ("after",))


class OutreachEvent(PersonEvent, frozen=True, kw_only=True):
    """A fact about one message to one person; topic duly.outreach, key tenant/recipient."""

    topic: ClassVar[str] = OUTREACH.name

    outreach_id: UUID

    @property
    def subject(self) -> str:
        """The outreach."""
        return str(self.outreach_id)


class OutreachRequestedV1(OutreachEvent, frozen=True, kw_only=True):
    """A person should hear something now, or as soon after `not_before` as their hours permit.

    Emitted by reminders and escalations when the moment has come. No personal data.
    `values` fill the message's template; `dedupe_key` makes asking twice one message.
    """

    type: ClassVar[str] = "duly.outreach.requested.v1"
    moments: ClassVar[tuple[str, ...]] = ("occurred_at", "not_before", "useful_until")

    about: OpaqueId
    message: Annotated[str, Meta(min_length=1, max_length=60)]  # the template, as "deadline-reminder"
    step: Annotated[str, Meta(min_length=1, max_length=40)]  # which of several alike; for a reminder its days
    dedupe_key: Annotated[str, Meta(min_length=1, max_length=500)]
    not_before: Utc
    useful_until: Utc
    ends_when: Annotated[tuple[Ending, ...], Meta(max_length=20)] = ()
    values: dict[Annotated[str, Meta(max_length=60)], ShortText] = field(default_factory=dict)
    mandatory: bool = True
    policy_version: ShortText = ""


class OutreachRequestedV2(OutreachRequestedV1, frozen=True, kw_only=True):
    """A person should hear something; says beside what V1 says how urgent it is and why it is asked for.

    Emitted by reminders when the moment has come. No personal data. An id or dedupe key that V1 has used names the
    same message.
    """

    type: ClassVar[str] = "duly.outreach.requested.v2"

    urgency: Literal["routine", "urgent"] = "routine"
    reason: Reason  # as a code of who asks: moment_reached


class OutreachWithdrawnV1(OutreachEvent, frozen=True, kw_only=True):
    """Who asked for a message no longer wants it sent.

    Emitted by the asking service. It may arrive before the request it takes back.
    """

    type: ClassVar[str] = "duly.outreach.withdrawn.v1"

    reason: Reason


class OutreachSentV1(OutreachEvent, frozen=True, kw_only=True):
    """A provider accepted the message.

    Emitted by messenger, once per outreach. A mail may still come back: then failed follows, with reason bounced.
    """

    type: ClassVar[str] = "duly.outreach.sent.v1"

    about: OpaqueId
    step: str
    channel: Literal["mail"]
    attempts: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    provider_id: ShortText = ""  # what the provider calls it; for mail our Message-ID


class OutreachSentV2(OutreachEvent, frozen=True, kw_only=True):
    """A provider accepted the message over a channel that V1 has no name for.

    Emitted by messenger, once per outreach and channel: who hears it on one may hear it on the next, where the policy
    says so. What went by mail is told as V1 until V1 is given up; whoever wants to know of all channels hears both.
    """

    type: ClassVar[str] = "duly.outreach.sent.v2"

    about: OpaqueId
    step: str
    channel: Literal["mail", "slack", "sms", "teams"]
    attempts: Annotated[int, Meta(ge=1, le=2**31 - 1)]  # over all channels
    provider_id: ShortText = ""  # what the provider calls it


class OutreachSuppressedV1(OutreachEvent, frozen=True, kw_only=True):
    """The message was not sent, for a reason of ours: it had become wrong, late or impossible.

    Emitted by messenger, once per outreach.
    """

    type: ClassVar[str] = "duly.outreach.suppressed.v1"

    about: OpaqueId
    step: str
    reason: Reason


class OutreachFailedV1(OutreachEvent, frozen=True, kw_only=True):
    """The message did not arrive: refused for good, sent and come back, or parked because nobody can know.

    Emitted by messenger; a parked one may still be followed by sent, when a person decides so or a delivery is
    proved, or by refused, when it comes back. Refused is final and told once per outreach.
    """

    type: ClassVar[str] = "duly.outreach.failed.v1"

    about: OpaqueId
    step: str
    state: Literal["refused", "parked"]
    reason: Reason
    evidence: ShortText = ""  # the provider's own code, never its text
