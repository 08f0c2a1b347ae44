"""A request becomes a letter: words chosen, filled in and encoded. No clock, no network; the same in, the same out.

Rendering is done beforehand, in `prepare`: what is the same for many people is rendered once and kept.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from uuid import UUID

from markupsafe import escape

from duly_chassis.addresses import Mailbox, NotAnAddress, checked_address
from messenger.channel import Letter, message_id
from messenger.counts import Counts
from messenger.drafts import Drafts
from messenger.headers import mailbox_header, text_header
from messenger.mail_body import Draft
from messenger.renderer import Renderer
from messenger.templates import Catalogue, Choice, load
from messenger.unsendable import AddressRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is written to; without a zone or a locale that we know the mail says UTC and speaks the tenant's language."""

    mail: str = field(repr=False)
    name: str = field(default="", repr=False)
    zone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRequest:
    """All that a mail is made of. `values` come from whoever asked for it, `now` is the business clock's."""

    tenant: str
    outreach_id: UUID
    about: str
    step: str
    message: str  # the name of the template
    values: Mapping[str, str]
    recipient: Recipient
    sender: Mailbox
    now: datetime
    trace_id: str = ""  # of the request: from a mail in somebody's inbox to the fact that caused it


class MailWriter:
    """Writes letters; holds the wordings, and drafts of what many letters have in common."""

    def __init__(
        self,
        catalogue: Catalogue | None = None,
        renderer: Renderer | None = None,
        counts: Counts | None = None,
        hosts: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._drafts = Drafts("mail", Draft.of, load() if catalogue is None else catalogue, renderer, counts, hosts)

    async def prepare(self, requests: Sequence[MailRequest]) -> None:
        """Render what these letters need and no letter needed before; `write` tells what came of it."""
        await self._drafts.prepare(requests)

    def write(self, request: MailRequest) -> Letter:
        """Write one letter; raises Unsendable for what is wrong with this request alone, Later if it is unprepared."""
        to = request.recipient
        address = _address(to.mail)
        wording, draft, name = self._drafts.find(request)
        before, between, after = wording.frame
        headers = (
            _sender_header(request.sender),
            mailbox_header("To", Mailbox(to.name, address)),
            draft.subject,
            _date_header(request.now.replace(microsecond=0)),
            _own_headers(request),
        )
        text, html = draft.text.named(name), draft.html.named(str(escape(name)))
        return Letter(
            outreach_id=request.outreach_id,
            sender=request.sender.address,
            recipient=address,
            wording=wording.version,
            content=b"".join((*headers, before, text, between, html, after)),
        )

    def choice(self, request: MailRequest) -> Choice:
        """Choose the wording for a request; raises UnknownTemplate."""
        return self._drafts.choice(request)


def _own_headers(request: MailRequest) -> bytes:
    return b"".join(
        (
            f"Message-ID: {message_id(request.outreach_id, request.sender.address)}\r\n".encode(),
            text_header("Duly-Tenant", request.tenant),
            text_header("Duly-Outreach-Id", str(request.outreach_id)),
            text_header("Duly-About", request.about),
            text_header("Duly-Step", request.step),
            text_header("Duly-Trace", request.trace_id) if request.trace_id else b"",
        )
    )


@lru_cache(maxsize=64)
def _sender_header(sender: Mailbox) -> bytes:
    return mailbox_header("From", sender)


@lru_cache(maxsize=256)
def _date_header(now: datetime) -> bytes:
    return f"Date: {format_datetime(now)}\r\n".encode()


def _address(text: str) -> str:
    """Return the one address this text is; raises AddressRefused."""
    try:
        return checked_address(text)
    except NotAnAddress as error:
        raise AddressRefused(str(error)) from None
