"""A request becomes a letter: words chosen, filled in and encoded. No clock, no network; the same in, the same out.

Rendering is done beforehand, in `prepare`: what is the same for many people is rendered once and kept.
"""

import time
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from uuid import UUID

from markupsafe import escape

from duly_chassis.addresses import Mailbox, NotAnAddress, checked_address
from messenger.channel import Letter, message_id
from messenger.counts import Counts
from messenger.headers import clean, mailbox_header, shortened, text_header
from messenger.mail_body import NAME_MARK, Draft
from messenger.mail_words import ANY_HOST, days_ahead, words
from messenger.renderer import HereRenderer, Renderer
from messenger.templates import Catalogue, Choice, load
from messenger.unsendable import AddressRefused, Later, Unsendable

NAME_CHARACTERS_MAX = 100
DRAFTS_MAX = 256  # of some 15 kB: few trainings, deadlines, zones and locales are shared by many people
RENDERING_S_MAX = 2.0
"""How long one `prepare` goes on beginning to render (machine clock): rows are locked meanwhile."""

Key = tuple[str, tuple[str, ...], str | None, str, tuple[int, ...], str]
"""All that a draft may depend on: wording, values, zone, locale, days ahead, and the name or the mark in its place."""


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
        self._catalogue = load() if catalogue is None else catalogue
        self._renderer = renderer or HereRenderer()
        self._counts = counts or Counts()
        self._hosts = hosts or {}
        self._drafts: OrderedDict[Key, Draft | Unsendable] = OrderedDict()

    async def prepare(self, requests: Sequence[MailRequest]) -> None:
        """Render what these letters need and no letter needed before; `write` tells what came of it."""
        until_s = time.monotonic() + RENDERING_S_MAX
        tried: set[Key] = set()
        for request in requests:
            with suppress(Unsendable):  # what is wrong with one request, `write` says of that one
                choice, key, _ = self._key(request)
                if key not in tried and not isinstance(self._drafts.get(key), Draft) and time.monotonic() < until_s:
                    tried.add(key)
                    self._keep(key, await self._rendered(request, choice, key))

    def write(self, request: MailRequest) -> Letter:
        """Write one letter; raises Unsendable for what is wrong with this request alone, Later if it is unprepared."""
        to = request.recipient
        address = _address(to.mail)
        choice, key, name = self._key(request)
        draft = self._draft(request, choice, key)
        wording = choice.wording
        if choice.missing:
            self._counts.missing.labels("messenger", wording.message, choice.missing).inc()
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
        return self._catalogue.choose(request.tenant, request.message, request.recipient.locale)

    async def _rendered(self, request: MailRequest, choice: Choice, key: Key) -> Draft | Unsendable:
        try:
            return Draft.of(await self._renderer.render(choice.wording, self._words(request, choice, key)))
        except Unsendable as error:
            return error

    def _draft(self, request: MailRequest, choice: Choice, key: Key) -> Draft:
        draft = self._drafts.get(key)
        if draft is None:
            said = self._words(request, choice, key)  # a value that is missing or wrong is known without rendering
            if not isinstance(self._renderer, HereRenderer):
                raise Later("not_rendered_yet")
            draft = Draft.of(self._renderer.now(choice.wording, said))
            self._keep(key, draft)
        elif isinstance(draft, Unsendable):
            raise draft
        else:
            self._drafts.move_to_end(key)
        return draft

    def _key(self, request: MailRequest) -> tuple[Choice, Key, str]:
        """Name the draft that a request needs; raises UnknownTemplate, MissingValue or BadValue."""
        to, choice = request.recipient, self.choice(request)
        wording = choice.wording
        name = shortened(clean(to.name), NAME_CHARACTERS_MAX)
        key = (
            f"{request.tenant}{wording.key}",  # the hosts of links are each tenant's own
            tuple(request.values.get(one, "") for one in wording.values),
            to.zone,
            choice.locale,
            days_ahead(wording.values, request.values, request.now, to.zone),
            NAME_MARK if name and wording.name_apart else name,
        )
        return choice, key, name

    def _words(self, request: MailRequest, choice: Choice, key: Key) -> dict[str, object]:
        _, _, zone, locale, days, name = key
        hosts = self._hosts.get(request.tenant, self._hosts.get("*", ANY_HOST))
        return words(choice.wording.values, request.values, zone, locale, days, hosts) | {"name": name}

    def _keep(self, key: Key, draft: Draft | Unsendable) -> None:
        self._drafts[key] = draft
        self._drafts.move_to_end(key)
        if len(self._drafts) > DRAFTS_MAX:
            self._drafts.popitem(last=False)


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
