"""What the world told one of our doors, checked and rid of personal data: callbacks of providers, words of people."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from msgspec import Meta

from duly_contracts.event import Event, ShortText, Utc
from duly_contracts.topics import SIGNALS

Word = Annotated[str, Meta(max_length=60, pattern=r"^[A-Za-z0-9_.-]*(?!\n)$")]
"""A provider's own word or code; one that has no such form is `other`."""

NumberDigest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}(?!\n)$")]
"""A phone number with our sender, as duly_chassis.numbers hashes them; never the number."""

KeyMark = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(?!\n)$")]
"""Which key a digest was made with, so that one that cannot be compared is noticed."""


class SignalEvent(Event, frozen=True, kw_only=True):
    """A fact from outside; topic duly.signals, key tenant/subject. Intake knows no people, so none is named."""

    topic: ClassVar[str] = SIGNALS.name

    occurred_at: Utc  # when it was received: what comes in has no moment of its own that could be trusted


class DeliveryReportedV1(SignalEvent, frozen=True, kw_only=True):
    """A provider told how the delivery of a message stands.

    Emitted by intake, once for each message of the provider and status. Reports overtake each other, and may be of an
    outreach that nobody knows. No personal data.
    """

    type: ClassVar[str] = "duly.signals.delivery-reported.v1"

    outreach_id: UUID  # as our own address for the callback has it
    channel: Literal["sms"]
    provider_id: Annotated[str, Meta(min_length=1, max_length=60)]  # what the provider calls the message
    status: Word
    code: Word = ""  # the provider's own, of a failure

    @property
    def subject(self) -> str:
        """The outreach."""
        return str(self.outreach_id)


class NumberEvent(SignalEvent, frozen=True, kw_only=True):
    """A fact about a phone number towards one of our senders, as its digest."""

    number_digest: NumberDigest
    key_mark: KeyMark

    @property
    def subject(self) -> str:
        """The digest: what one number says stays in order."""
        return self.number_digest


class SmsOptedOutV1(NumberEvent, frozen=True, kw_only=True):
    """Whoever has this number wants no more texts from this sender.

    Emitted by intake, for each tenant that uses the sender. `word_class` says how it was said: a `keyword` of the law,
    a `wish` in other words, or in `doubt`; what is no keyword was marked for a person to read. No personal data.
    """

    type: ClassVar[str] = "duly.signals.sms-opted-out.v1"

    word_class: Literal["keyword", "wish", "doubt"]


class SmsOptedInV1(NumberEvent, frozen=True, kw_only=True):
    """Whoever has this number wants texts from this sender and tenant again.

    Emitted by intake: at once where one tenant alone uses the sender, else when a person has confirmed this tenant.
    No personal data.
    """

    type: ClassVar[str] = "duly.signals.sms-opted-in.v1"

    confirmed_by: ShortText = ""  # the person who confirmed it for this tenant, where one had to
