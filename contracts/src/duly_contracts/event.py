"""What every fact has in common: whose it is, about whom, and when it became true."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

TenantId = Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,40}$")]
"""A customer organisation; it stands first in every key."""

OpaqueId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^/\x00-\x1f\x7f-\x9f]+\Z")]
"""An id of the source system: 1 to 200 printable characters without '/', never an address."""

Utc = Annotated[datetime, Meta(tz=True)]
"""A UTC instant from 1970 to 2199; naive, shifted and far-off moments are refused."""

ShortText = Annotated[str, Meta(max_length=500)]
"""Text for a person to read; 500 characters at most."""

YEARS = range(1970, 2200)
NO_SHIFT = timedelta(0)


class Event(Struct, frozen=True, kw_only=True):
    """One fact, past tense, complete in itself.

    Subclasses name their `type` (with its version), their `topic` and the fields that hold moments.
    """

    type: ClassVar[str]
    topic: ClassVar[str]
    moments: ClassVar[tuple[str, ...]] = ("occurred_at",)

    tenant_id: TenantId
    person_id: OpaqueId
    occurred_at: Utc  # the business moment
    sequence: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None  # the source's own order, where it has one

    def __post_init__(self) -> None:
        """Refuse moments that are not UTC or lie outside the years Duly plans for."""
        for name in self.moments:
            moment = getattr(self, name)
            if moment is None:
                continue
            if moment.utcoffset() != NO_SHIFT:
                raise ValueError(f"{name}: not UTC")
            if moment.year not in YEARS:
                raise ValueError(f"{name}: outside 1970 to 2199")

    @property
    def subject(self) -> str:
        """What the fact is about: the `ce_subject` header."""
        return self.person_id

    @property
    def key(self) -> str:
        """The partition key: all that concerns a person stays in order."""
        return f"{self.tenant_id}/{self.person_id}"
