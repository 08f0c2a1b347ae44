"""A request becomes a letter: words chosen, filled in and encoded. No clock, no network; the same in, the same out.

Rendering is done beforehand, in `prepare`: what is the same for many people is rendered once and kept.
"""

from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Unpack

from markupsafe import escape

from duly_chassis.addresses import Mailbox, NotAnAddress, checked_address
from messenger.channel import Letter, message_id
from messenger.domain import MAIL
from messenger.templating.sandbox import Rendered
from messenger.words.drafts import Drafts, Shared
from messenger.words.headers import mailbox_header, text_header
from messenger.words.mail_body import Draft
from messenger.words.request import Request
from messenger.words.unsendable import AddressRefused


class MailWriter(Drafts[Draft]):
    """Writes letters from one sender."""

    channel = MAIL

    def __init__(self, sender: Mailbox, **shared: Unpack[Shared]) -> None:
        super().__init__(**shared)
        self._sender = sender
        self._from = mailbox_header("From", sender)

    def made(self, rendered: Rendered) -> Draft:
        """Encode what was rendered."""
        return Draft.of(rendered)

    def write(self, request: Request) -> Letter:
        """Write one letter; raises Unsendable for what is wrong with this request alone, Later if it is unprepared."""
        to = request.recipient
        address = _address(to.address)
        wording, draft, name = self.find(request)
        before, between, after = wording.frame
        headers = (
            self._from,
            mailbox_header("To", Mailbox(to.name, address)),
            draft.subject,
            _date_header(request.now.replace(microsecond=0)),
            _own_headers(request, self._sender),
        )
        text, html = draft.text.named(name), draft.html.named(str(escape(name)))
        return Letter(
            outreach_id=request.outreach_id,
            sender=self._sender.address,
            recipient=address,
            wording=wording.version,
            content=b"".join((*headers, before, text, between, html, after)),
        )


def _own_headers(request: Request, sender: Mailbox) -> bytes:
    return b"".join(
        (
            f"Message-ID: {message_id(request.outreach_id, sender.address)}\r\n".encode(),
            text_header("Duly-Tenant", request.tenant),
            text_header("Duly-Outreach-Id", str(request.outreach_id)),
            text_header("Duly-About", request.about),
            text_header("Duly-Step", request.step),
            text_header("Duly-Trace", request.trace_id) if request.trace_id else b"",
        )
    )


@lru_cache(maxsize=256)
def _date_header(now: datetime) -> bytes:
    return f"Date: {format_datetime(now)}\r\n".encode()


def _address(text: str) -> str:
    """Return the one address this text is; raises AddressRefused."""
    try:
        return checked_address(text)
    except NotAnAddress as error:
        raise AddressRefused(str(error)) from None
