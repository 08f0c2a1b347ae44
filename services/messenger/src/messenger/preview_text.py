"""The text that somebody would get, with its segments; nothing is sent."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from duly_chassis.web import Refusal, needed
from messenger import template_samples
from messenger.domain import Contact
from messenger.sms_segments import size_of
from messenger.sms_writer import Holder, TextRequest, TextWriter
from messenger.unsendable import Unsendable

NO_OUTREACH = UUID(int=0)


async def shown(
    query: Mapping[str, str],
    values: Mapping[str, str],
    contact: Contact,
    writer: TextWriter,
    default_zone: str,
    now: datetime,
) -> dict[str, Any]:
    """Write the text, to a number that need not be there; raises Refusal with the reason it could not go."""
    request = TextRequest(
        tenant=needed(query, "tenant"),
        outreach_id=NO_OUTREACH,
        about="preview",
        step="preview",
        message=needed(query, "message"),
        values=values,
        recipient=Holder(mobile="", zone=contact.zone or default_zone, locale=query.get("locale") or contact.locale),
        now=now,
    )
    try:
        samples = template_samples.values(writer.wording(request).values, now)
        request = replace(request, values=samples | dict(values))
        await writer.prepare([request])
        wording, text = writer.text(request)
    except Unsendable as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    size = size_of(text)
    return {
        "channel": "sms",
        "message": wording.message,
        "version": wording.number,
        "language": wording.language,
        "wording": wording.version,
        "owner": wording.owner,
        "text": text,
        "encoding": size.encoding,
        "segments": size.segments,
        "characters": len(text),
    }
