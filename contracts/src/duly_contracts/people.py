"""Who works here: the whole record of a person, so that the last one is enough."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from duly_contracts.event import Day, OpaqueId, PersonEvent, ShortText, Utc
from duly_contracts.topics import PEOPLE


class PersonalData(Struct, frozen=True, kw_only=True):
    """What may leave roster only for those who have to reach the person: messenger."""

    name: ShortText = ""
    mail: Annotated[str, Meta(max_length=254)] | None = None
    mobile: Annotated[str, Meta(max_length=20)] | None = None


class PersonRecordedV1(PersonEvent, frozen=True, kw_only=True):
    """The record of a person as it stands; departure is a state in it, not another type.

    Topic duly.people (compacted), key tenant/person, emitted by roster whenever the record changes.
    Personal data: the block `personal`. A record with a lower `version` never replaces a higher one.
    """

    type: ClassVar[str] = "duly.people.recorded.v1"
    topic: ClassVar[str] = PEOPLE.name
    moments: ClassVar[tuple[str, ...]] = ("occurred_at", "since")

    version: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    status: Literal["active", "on_leave", "departed"]
    since: Utc | None = None  # when this status began
    zone: Annotated[str, Meta(max_length=64)] | None = None  # IANA, as "Europe/Dublin"
    locale: Annotated[str, Meta(max_length=35)] | None = None  # BCP 47, as "en-GB"
    manager_id: OpaqueId | None = None
    department: ShortText | None = None
    team: ShortText | None = None
    role: ShortText | None = None
    location: ShortText | None = None
    hired_on: Day | None = None  # the first day of work, on the wall calendar
    personal: PersonalData = PersonalData()
