"""What would be sent: to a person that is known, by the running service; to a sample person, by anybody."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

from duly_chassis.addresses import Mailbox
from duly_chassis.database import Connection
from duly_chassis.web import Refusal, needed
from messenger import reading
from messenger.domain import CHANNELS, MAIL, Contact, address
from messenger.templates import load
from messenger.templating import samples as template_samples
from messenger.words.mail import MailWriter
from messenger.words.preview_layouts import Writers
from messenger.words.request import Reader, Request
from messenger.words.slack_writer import SlackWriter
from messenger.words.sms_writer import TextWriter
from messenger.words.unsendable import Unsendable

VALUE = "value."
NO_OUTREACH = UUID(int=0)
SAMPLE_TENANT = "sample"
SAMPLE_PERSON = Contact("active", template_samples.NAME, "alex@learners.example", template_samples.ZONE, None)
SAMPLE_SENDER = Mailbox("Training", "training@duly.example")


async def of_person(
    connection: Connection, query: Mapping[str, str], writers: Writers, now: datetime
) -> dict[str, Any]:
    """Write what this person would get now, with sample values where none are given; nothing is sent."""
    tenant, person = needed(query, "tenant"), needed(query, "person")
    contact = await reading.contact(connection, tenant, person)
    if contact is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "person_unknown")
    return await on_channel(query, contact, writers, now)


def of_sample(query: Mapping[str, str], folder: Path | None = None) -> dict[str, Any]:
    """Write what a sample person would get, from the templates alone; raises TemplateRefused or Refusal."""
    now = moment(query) or template_samples.MOMENT
    catalogue = load(folder)
    writers = Writers(
        MailWriter(SAMPLE_SENDER, catalogue=catalogue),
        SlackWriter(catalogue=catalogue),
        TextWriter("", SAMPLE_SENDER.name, catalogue=catalogue),
        template_samples.ZONE,
    )
    given = {"tenant": SAMPLE_TENANT} | dict(query)
    return asyncio.run(on_channel(given, SAMPLE_PERSON, writers, now))


async def on_channel(query: Mapping[str, str], contact: Contact, writers: Writers, now: datetime) -> dict[str, Any]:
    """Write it for the channel that is asked for, mail where none is; raises Refusal with why it could not go."""
    at = moment(query) or now
    channel = query.get("channel", MAIL)
    if channel not in CHANNELS:
        raise Refusal(HTTPStatus.BAD_REQUEST, "channel_unknown")
    writer, layout = writers.on(channel)
    request = asked(query, contact, channel, writers.zone, at)
    try:
        wording = writer.wording(request)
        request = replace(request, values=template_samples.values(wording.values, at) | dict(request.values))
        await writer.prepare([request])
        shown = layout(request)
    except Unsendable as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    return {
        "channel": channel,
        "message": wording.message,
        "version": wording.number,
        "language": wording.language,
        "wording": wording.version,
        "owner": wording.owner,
    } | shown


def asked(query: Mapping[str, str], contact: Contact, channel: str, default_zone: str, now: datetime) -> Request:
    """Say what a query asks for, with the values that are given in place of samples; raises Refusal."""
    return Request(
        tenant=needed(query, "tenant"),
        outreach_id=NO_OUTREACH,
        about="preview",
        step="preview",
        message=needed(query, "message"),
        values={name.removeprefix(VALUE): text for name, text in query.items() if name.startswith(VALUE)},
        recipient=Reader(
            address=address(contact, channel) or "",
            name=contact.name,
            zone=contact.zone or default_zone,
            locale=query.get("locale") or contact.locale,
        ),
        now=now,
    )


def moment(query: Mapping[str, str]) -> datetime | None:
    """Read the moment to write for, if one is asked; raises Refusal."""
    if not query.get("at"):
        return None
    try:
        found = datetime.fromisoformat(query["at"])
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "needs_at_as_an_instant")
    return found.astimezone(UTC)
