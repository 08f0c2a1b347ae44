"""What every fact has in common: whose it is, when it became true, and, of most, about whom."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, ClassVar

from msgspec import Meta, Struct

TenantId = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}(?!\n)$")]
"""A customer organisation; it stands first in every key."""

UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
"""Controls, line ends, and what hides or turns round the text beside it."""

OpaqueId = Annotated[str, Meta(min_length=1, max_length=200, pattern=rf"^[^/{UNPRINTABLE}]+(?!\n)$")]
"""An id of the source system: 1 to 200 printable characters without '/', never an address.

The pattern means the same to Python and to every other reader of the JSON Schema: in Python alone a bare `$`
would also match before a last line end.
"""

UTC_TEXT = r"^(19[7-9][0-9]|2[01][0-9]{2})-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-]00:00)(?!\n)$"

Utc = Annotated[datetime, Meta(tz=True, extra_json_schema={"pattern": UTC_TEXT})]
"""A UTC instant from 1970 to 2199; naive, shifted and far-off moments are refused."""

Day = Annotated[date, Meta(extra_json_schema={"pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?!\n)$"})]
"""A date on the wall calendar, as 2021-09-01."""

ShortText = Annotated[str, Meta(max_length=500)]
"""Text for a person to read; 500 characters at most."""

YEARS = range(1970, 2200)
NO_SHIFT = timedelta(0)


def check_moments(fact: Struct, names: tuple[str, ...]) -> None:
    """Refuse moments that are not UTC or lie outside the years Duly plans for."""
    for name in names:
        moment = getattr(fact, name)
        if moment is None or (moment.tzinfo is UTC and moment.year in YEARS):
            continue
        if moment.utcoffset() != NO_SHIFT:
            raise ValueError(f"{name}: not UTC")
        if moment.year not in YEARS:
            raise ValueError(f"{name}: outside 1970 to 2199")


class Event(Struct, frozen=True, kw_only=True):
    """One fact, past tense, complete in itself.

    Subclasses name their `type` (with its version), their `topic` and the fields that hold moments. All have
    `occurred_at`; it is written where each kind of fact lists its fields, for their order is that of the bytes.
    """

    type: ClassVar[str]
    topic: ClassVar[str]
    moments: ClassVar[tuple[str, ...]] = ("occurred_at",)

    tenant_id: TenantId
    if TYPE_CHECKING:
        occurred_at: Utc

    def __post_init__(self) -> None:
        """Hold every field named in `moments` to UTC and to the years Duly plans for."""
        check_moments(self, self.moments)

    @property
    def subject(self) -> str:
        """What the fact is about, where it is not the whole tenant: the `ce_subject` header."""
        return self.tenant_id

    @property
    def key(self) -> str:
        """The partition key: all that concerns one subject stays in order."""
        return f"{self.tenant_id}/{self.subject}"


class PersonEvent(Event, frozen=True, kw_only=True):
    """A fact about a person of the house; key tenant/person."""

    person_id: OpaqueId
    occurred_at: Utc  # the business moment
    sequence: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None  # the source's own order, if any

    @property
    def subject(self) -> str:
        """The person, or what of theirs a kind of fact is about."""
        return self.person_id

    @property
    def key(self) -> str:
        """The partition key: all that concerns a person stays in order."""
        return f"{self.tenant_id}/{self.person_id}"
