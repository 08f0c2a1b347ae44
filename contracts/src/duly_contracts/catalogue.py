"""Every event there is, by the name that stands in `ce_type`."""

from duly_contracts.decisions import AddressLostV1, MessageRequestedV1, MessageWithheldV1, ZoneNotFoundV1
from duly_contracts.event import Event
from duly_contracts.outreach import (
    OutreachFailedV1,
    OutreachRequestedV1,
    OutreachRequestedV2,
    OutreachSentV1,
    OutreachSentV2,
    OutreachSuppressedV1,
    OutreachWithdrawnV1,
)
from duly_contracts.people import PersonRecordedV1
from duly_contracts.signals import DeliveryReportedV1, SmsOptedInV1, SmsOptedOutV1
from duly_contracts.training import (
    TrainingAssignedV1,
    TrainingCompletedV1,
    TrainingDueChangedV1,
    TrainingProgressedV1,
    TrainingWithdrawnV1,
)

EVENTS: tuple[type[Event], ...] = (
    TrainingAssignedV1,
    TrainingProgressedV1,
    TrainingCompletedV1,
    TrainingDueChangedV1,
    TrainingWithdrawnV1,
    PersonRecordedV1,
    OutreachRequestedV1,
    OutreachRequestedV2,
    OutreachWithdrawnV1,
    OutreachSentV1,
    OutreachSentV2,
    OutreachSuppressedV1,
    OutreachFailedV1,
    MessageRequestedV1,
    MessageWithheldV1,
    DeliveryReportedV1,
    SmsOptedOutV1,
    SmsOptedInV1,
    AddressLostV1,
    ZoneNotFoundV1,
)

BY_TYPE: dict[str, type[Event]] = {event.type: event for event in EVENTS}
