"""What a message is made of, whatever it goes on: words asked for by name, for one reader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from duly_contracts.traces import trace_id
from messenger.domain import Contact, Outreach, address


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads it; without a zone or a locale that we know it says UTC and speaks the tenant's language."""

    address: str = field(repr=False)
    """What the channel finds this person by: a mail address, a mobile number, the #name of a place."""
    name: str = field(default="", repr=False)
    zone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that a message is made of. `values` come from whoever asked for it, moments are the business clock's."""

    tenant: str
    outreach_id: UUID
    about: str
    step: str
    message: str  # the name of the template
    values: Mapping[str, str]
    recipient: Reader
    now: datetime
    useful_until: datetime | None = None
    trace_id: str = ""  # of the request: from a mail in somebody's inbox to the fact that caused it


def of_row(outreach: Outreach, contact: Contact, default_zone: str, now: datetime) -> Request:
    """Say what a ledger row and its recipient ask for, on the channel that the row is on."""
    return Request(
        tenant=outreach.tenant_id,
        outreach_id=outreach.outreach_id,
        about=outreach.about,
        step=outreach.step,
        message=outreach.message,
        values=outreach.values,
        recipient=Reader(
            address=address(contact, outreach.channel) or "",
            name=contact.name,
            zone=contact.zone or default_zone,
            locale=contact.locale,
        ),
        now=now,
        useful_until=outreach.useful_until,
        trace_id=trace_id(outreach.traceparent),
    )
