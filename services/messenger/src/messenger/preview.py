"""What would be sent: to a person that is known, by the running service; to a sample person, by anybody."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from messenger import preview_chat, preview_text, reading, template_samples
from messenger.domain import Contact
from messenger.mail import MailRequest, MailWriter
from messenger.mailer import recipient
from messenger.slack_writer import SlackWriter
from messenger.sms_writer import TextWriter
from messenger.templates import load
from messenger.unsendable import Unsendable

VALUE = "value."
NO_OUTREACH = UUID(int=0)
SAMPLE_TENANT = "sample"
SAMPLE_PERSON = Contact("active", template_samples.NAME, "alex@learners.example", template_samples.ZONE, None)
SAMPLE_SENDER = Mailbox("Training", "training@duly.example")


@dataclass(frozen=True, slots=True)
class Writers:
    """Who writes on which channel, and what they need to know beside the request."""

    mails: MailWriter
    chats: SlackWriter
    texts: TextWriter
    sender: Mailbox
    zone: str


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
    texts = TextWriter("", SAMPLE_SENDER.name, catalogue=catalogue)
    writers = Writers(MailWriter(catalogue), SlackWriter(catalogue), texts, SAMPLE_SENDER, template_samples.ZONE)
    given = {"tenant": SAMPLE_TENANT} | dict(query)
    return asyncio.run(on_channel(given, SAMPLE_PERSON, writers, now))


async def on_channel(query: Mapping[str, str], contact: Contact, writers: Writers, now: datetime) -> dict[str, Any]:
    """Write it for the channel that is asked for, mail where none is; raises Refusal."""
    at = moment(query) or now
    match query.get("channel", "mail"):
        case "mail":
            return await shown(query, contact, writers.mails, writers.sender, writers.zone, now)
        case "slack" | "teams" as chat:
            return await preview_chat.shown(query, given_values(query), contact, writers.chats, writers.zone, at, chat)
        case "sms":
            return await preview_text.shown(query, given_values(query), contact, writers.texts, writers.zone, at)
        case _:
            raise Refusal(HTTPStatus.BAD_REQUEST, "channel_unknown")


def given_values(query: Mapping[str, str]) -> dict[str, str]:
    """Return the values that are given in place of samples."""
    return {name.removeprefix(VALUE): text for name, text in query.items() if name.startswith(VALUE)}


async def shown(
    query: Mapping[str, str],
    contact: Contact,
    writer: MailWriter,
    sender: Mailbox,
    default_zone: str,
    now: datetime,
) -> dict[str, Any]:
    """Write a mail and take it apart again, as a mail program would; raises Refusal with why it could not go."""
    to = recipient(contact, default_zone)
    request = MailRequest(
        tenant=needed(query, "tenant"),
        outreach_id=NO_OUTREACH,
        about="preview",
        step="preview",
        message=needed(query, "message"),
        values=given_values(query),
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
        "channel": "mail",
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
