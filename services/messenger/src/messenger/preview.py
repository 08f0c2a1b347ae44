"""What would be sent: to a person that is known, by the running service; to a sample person, by anybody."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

from duly_chassis.addresses import Mailbox
from duly_chassis.database import Connection
from duly_chassis.web import Refusal, needed
from messenger import reading, template_samples
from messenger.domain import Contact
from messenger.mail import MailRequest, MailWriter
from messenger.mailer import recipient
from messenger.templates import load
from messenger.unsendable import Unsendable

VALUE = "value."
NO_OUTREACH = UUID(int=0)
SAMPLE_TENANT = "sample"
SAMPLE_PERSON = Contact("active", template_samples.NAME, "alex@learners.example", template_samples.ZONE, None)
SAMPLE_SENDER = Mailbox("Training", "training@duly.example")


async def of_person(
    connection: Connection,
    query: Mapping[str, str],
    writer: MailWriter,
    sender: Mailbox,
    default_zone: str,
    now: datetime,
) -> dict[str, Any]:
    """Write the mail that this person would get now, with sample values where none are given; nothing is sent."""
    tenant, person = needed(query, "tenant"), needed(query, "person")
    contact = await reading.contact(connection, tenant, person)
    if contact is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "person_unknown")
    return await shown(query, contact, writer, sender, default_zone, now)


def of_sample(query: Mapping[str, str], folder: Path | None = None) -> dict[str, Any]:
    """Write the mail that a sample person would get, from the templates alone; raises TemplateRefused or Refusal."""
    now = moment(query) or template_samples.MOMENT
    writer = MailWriter(load(folder))
    given = {"tenant": SAMPLE_TENANT} | dict(query)
    return asyncio.run(shown(given, SAMPLE_PERSON, writer, SAMPLE_SENDER, template_samples.ZONE, now))


async def shown(
    query: Mapping[str, str],
    contact: Contact,
    writer: MailWriter,
    sender: Mailbox,
    default_zone: str,
    now: datetime,
) -> dict[str, Any]:
    """Write it and take it apart again, as a mail program would; raises Refusal with the reason it could not go."""
    to = recipient(contact, default_zone)
    request = MailRequest(
        tenant=needed(query, "tenant"),
        outreach_id=NO_OUTREACH,
        about="preview",
        step="preview",
        message=needed(query, "message"),
        values={name.removeprefix(VALUE): text for name, text in query.items() if name.startswith(VALUE)},
        recipient=replace(to, locale=query.get("locale") or to.locale),
        sender=sender,
        now=moment(query) or now,
    )
    try:
        wording = writer.choice(request).wording
        samples = template_samples.values(wording.values, request.now)
        request = replace(request, values=samples | dict(request.values))
        await writer.prepare([request])
        letter = writer.write(request)
    except Unsendable as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    mail = message_from_bytes(letter.content, policy=SMTP)
    return {
        "message": wording.message,
        "version": wording.number,
        "language": wording.language,
        "wording": letter.wording,
        "owner": wording.owner,
        "headers": {name: str(value) for name, value in mail.items()},
        "subject": str(mail["Subject"]),
        "text": body(mail, "plain"),
        "html": body(mail, "html"),
        "eml": letter.content.decode("ascii"),
    }


def body(mail: EmailMessage, kind: str) -> str:
    """Return one body of a mail as text."""
    found = mail.get_body((kind,))
    return "" if found is None else str(found.get_content()).replace("\r\n", "\n")


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
