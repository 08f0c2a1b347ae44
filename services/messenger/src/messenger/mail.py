"""A request becomes a letter: words chosen, filled in and encoded. No clock, no network; the same in, the same out."""

from binascii import b2a_qp
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from jinja2 import TemplateError

from messenger.addresses import Mailbox, checked_address
from messenger.channel import Letter, message_id
from messenger.headers import clean, mailbox_header, shortened, text_header
from messenger.moments import days_between, instant_of, locale_of, spoken
from messenger.templates import Catalogue, load_templates, wording_for
from messenger.unsendable import BadValue, MissingValue, TooLarge, Unsendable

BODY_BYTES_MAX = 256 * 1024
SUBJECT_CHARACTERS_MAX = 200
TITLE_IN_SUBJECT_CHARACTERS_MAX = 120  # so that the date after it survives
NAME_CHARACTERS_MAX = 100
LINK_CHARACTERS_MAX = 2_000
FROM_DUE_AT = frozenset({"due_day", "due_time", "due_utc", "zone_known", "days_left"})
DERIVED = FROM_DUE_AT | {"short_title", "name", "link", "subject"}  # never taken from a request as they are
UNSAFE_IN_LINK = frozenset("\"'<>\\^`{|}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who is written to; without a zone or a locale that we know the mail says UTC and speaks English."""

    mail: str = field(repr=False)
    name: str = field(default="", repr=False)
    zone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRequest:
    """All that a mail is made of. `values` come from whoever asked for it, `now` is the business clock's."""

    outreach_id: UUID
    about: str
    step: str
    message: str  # the name of the template
    values: Mapping[str, str]
    recipient: Recipient
    sender: Mailbox
    now: datetime


class MailWriter:
    """Writes letters; holds the wordings, compiled once."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._catalogue = load_templates() if catalogue is None else catalogue

    def write(self, request: MailRequest) -> Letter:
        """Write one letter; raises Unsendable for what is wrong with this request alone."""
        to = request.recipient
        address = checked_address(to.mail)
        wording = wording_for(self._catalogue, request.message, locale_of(to.locale).language)
        words = _words(request, wording.needs)
        try:
            subject = shortened(clean(wording.subject.render(words)), SUBJECT_CHARACTERS_MAX)
            words["subject"] = subject
            text, html = wording.text.render(words), wording.html.render(words)
        except TemplateError:  # a fault of the wording: seen at once, and still no other message's fault
            raise Unsendable("template_failed") from None
        before, between, after = wording.frame
        headers = (
            _sender_header(request.sender),
            mailbox_header("To", Mailbox(to.name, address)),
            _subject_header(subject),
            _date_header(request.now.replace(microsecond=0)),
            _own_headers(request),
        )
        return Letter(
            outreach_id=request.outreach_id,
            sender=request.sender.address,
            recipient=address,
            wording=wording.version,
            content=b"".join((*headers, before, _body(text), between, _body(html), after)),
        )


def _words(request: MailRequest, needs: frozenset[str]) -> dict[str, Any]:
    """Collect what the templates may say: the request's own values, cleaned, and what is derived from them."""
    to, values = request.recipient, request.values
    words: dict[str, Any] = {name: clean(values.get(name, "")) for name in needs - DERIVED}
    due_at = values.get("due_at", "")
    if due_at:
        instant = instant_of("due_at", due_at)
        due = spoken(instant, to.zone, to.locale)
        words |= {"due_day": due.day, "due_time": due.time, "due_utc": due.utc, "zone_known": due.zone_known}
        words["days_left"] = days_between(request.now, instant, to.zone)
    elif needs & FROM_DUE_AT:
        raise MissingValue("due_at")
    for name in sorted(needs - DERIVED):
        if not words[name]:
            raise MissingValue(name)
    words["short_title"] = shortened(words.get("training_title", ""), TITLE_IN_SUBJECT_CHARACTERS_MAX)
    words["name"] = shortened(clean(to.name), NAME_CHARACTERS_MAX)
    words["link"] = _checked_link(values.get("link", ""))
    return words


def _checked_link(link: str) -> str:
    """Let https through and nothing else: escaping alone would let a javascript: link stand (S-31)."""
    if not link:
        return ""
    try:
        parts = urlsplit(link)
        host = parts.hostname
    except ValueError:
        raise BadValue("link") from None
    printable = link.isascii() and link.isprintable() and " " not in link and UNSAFE_IN_LINK.isdisjoint(link)
    if parts.scheme != "https" or not host or "@" in parts.netloc or not printable:
        raise BadValue("link")
    if len(link) > LINK_CHARACTERS_MAX:
        raise BadValue("link")
    return link


def _own_headers(request: MailRequest) -> bytes:
    return b"".join(
        (
            f"Message-ID: {message_id(request.outreach_id, request.sender.address)}\r\n".encode(),
            text_header("Duly-Outreach-Id", str(request.outreach_id)),
            text_header("Duly-About", request.about),
            text_header("Duly-Step", request.step),
        )
    )


def _body(text: str) -> bytes:
    encoded = text.replace("\n", "\r\n").encode(errors="replace")
    if len(encoded) > BODY_BYTES_MAX:
        raise TooLarge
    return b2a_qp(encoded)


@lru_cache(maxsize=64)
def _sender_header(sender: Mailbox) -> bytes:
    return mailbox_header("From", sender)


@lru_cache(maxsize=4_096)
def _subject_header(subject: str) -> bytes:
    """Encode a subject once: many people are reminded of the same training on the same day."""
    return text_header("Subject", subject)


@lru_cache(maxsize=256)
def _date_header(now: datetime) -> bytes:
    return f"Date: {format_datetime(now)}\r\n".encode()
