"""Why somebody heard something, or did not: each moment that came leaves one of these."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta, field

from duly_contracts.event import OpaqueId, PersonEvent, ShortText, Utc
from duly_contracts.outreach import Reason
from duly_contracts.topics import DECISIONS


class DecisionEvent(PersonEvent, frozen=True, kw_only=True):
    """A message was due, and this is what was decided; topic duly.decisions, no personal data."""

    topic: ClassVar[str] = DECISIONS.name
    moments: ClassVar[tuple[str, ...]] = ("occurred_at", "moment")

    about: OpaqueId
    rule: Annotated[str, Meta(min_length=1, max_length=100)]  # as "deadline-reminder"
    step: Annotated[str, Meta(min_length=1, max_length=40)]
    policy_version: ShortText
    moment: Utc  # when the step was due
    reason: Reason
    values: dict[Annotated[str, Meta(max_length=60)], ShortText] = field(default_factory=dict)  # what it saw

    @property
    def subject(self) -> str:
        """What the message would be about."""
        return self.about


class MessageRequestedV1(DecisionEvent, frozen=True, kw_only=True):
    """The moment came and the message was asked for.

    Emitted by the deciding service, in the transaction that asks messenger.
    """

    type: ClassVar[str] = "duly.decisions.requested.v1"

    outreach_id: UUID


class MessageWithheldV1(DecisionEvent, frozen=True, kw_only=True):
    """The moment came and nothing was asked for; the reason says why.

    Emitted by the deciding service, once per step and occurrence.
    """

    type: ClassVar[str] = "duly.decisions.withheld.v1"


class AddressLostV1(DecisionEvent, frozen=True, kw_only=True):
    """A message turned from a channel because the person's record has no address for it, or one that reaches nobody.

    Emitted by messenger, once per message and channel: a finding about the people's data, for whoever keeps them.
    `rule` is the message's name, `policy_version` that of the channel policy. The address itself is never told.
    """

    type: ClassVar[str] = "duly.decisions.address-lost.v1"

    outreach_id: UUID
    channel: Literal["mail", "slack", "sms", "teams"]


class ZoneNotFoundV1(PersonEvent, frozen=True, kw_only=True):
    """A person's record names no time zone, or one nobody knows, and their tenant has several.

    Emitted by messenger, once for each version of such a record: a finding about the people's data, for whoever keeps
    them. Until it is mended they are written to only at hours that all zones of the tenant permit. No personal data.
    """

    type: ClassVar[str] = "duly.decisions.zone-not-found.v1"
    topic: ClassVar[str] = DECISIONS.name

    reason: Literal["no_zone", "zone_unknown"]
    record_version: Annotated[int, Meta(ge=1, le=2**63 - 1)]
