"""The message that somebody would get in a chat, as text and in the chat's own layout; nothing is sent."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from duly_chassis.web import Refusal, needed
from messenger import template_samples
from messenger.chat_layout import Part, plain
from messenger.domain import Contact
from messenger.slack_blocks import blocks
from messenger.slack_writer import ChatRequest, Member, SlackWriter
from messenger.teams import card
from messenger.teams_card import body
from messenger.unsendable import Unsendable

NO_OUTREACH = UUID(int=0)
LAYOUTS: Mapping[str, Callable[[tuple[Part, ...]], dict[str, Any]]] = {
    "slack": lambda said: {"blocks": list(blocks(said))},
    "teams": lambda said: {"card": card(plain(said), body(said))},
}


async def shown(
    query: Mapping[str, str],
    values: Mapping[str, str],
    contact: Contact,
    writer: SlackWriter,
    default_zone: str,
    now: datetime,
    channel: str = "slack",
) -> dict[str, Any]:
    """Write the message, for an address that need not be there; raises Refusal with the reason it could not go."""
    request = ChatRequest(
        tenant=needed(query, "tenant"),
        outreach_id=NO_OUTREACH,
        about="preview",
        step="preview",
        message=needed(query, "message"),
        values=values,
        recipient=Member(
            address=contact.mail or "",
            name=contact.name,
            zone=contact.zone or default_zone,
            locale=query.get("locale") or contact.locale,
        ),
        now=now,
    )
    try:
        samples = template_samples.values(writer.wording(request).values, now)
        request = replace(request, values=samples | dict(values))
        await writer.prepare([request])
        wording, said = writer.said(request)
        laid_out = LAYOUTS[channel](said)
    except Unsendable as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
    return {
        "channel": channel,
        "message": wording.message,
        "version": wording.number,
        "language": wording.language,
        "wording": wording.version,
        "owner": wording.owner,
        "text": plain(said),
    } | laid_out
