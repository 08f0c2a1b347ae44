"""A request becomes a letter: words chosen, filled in and encoded. No clock, no network; the same in, the same out."""

import re
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
from markupsafe import escape

from messenger.addresses import Mailbox, checked_address
from messenger.channel import Letter, message_id
from messenger.headers import clean, mailbox_header, shortened, text_header
from messenger.moments import days_between, instant_of, locale_of, spoken
from messenger.templates import NAME_MARK, Catalogue, Wording, load_templates, wording_for
from messenger.unsendable import BadValue, MissingValue, TooLarge, Unsendable

BODY_BYTES_MAX = 256 * 1024
SUBJECT_CHARACTERS_MAX = 200
TITLE_IN_SUBJECT_CHARACTERS_MAX = 120  # so that the date after it survives
NAME_CHARACTERS_MAX = 100
LINK_CHARACTERS_MAX = 2_000
FROM_DUE_AT = frozenset({"due_day", "due_time", "due_utc", "zone_known", "days_left"})
DERIVED = FROM_DUE_AT | {"short_title", "name", "link", "subject"}  # never taken from a request as they are
UNSAFE_IN_LINK = frozenset("\"'<>\\^`{|}")
NAMED_LINES = re.compile(rf"([^\n]*{NAME_MARK}[^\n]*\n)")
DRAFTS_MAX = 256  # of some 8 kB: few trainings, deadlines, zones and locales are shared by many people


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
    trace_id: str = ""  # of the request: from a mail in somebody's inbox to the fact that caused it


class MailWriter:
    """Writes letters; holds the wordings, compiled once."""

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._catalogue = load_templates() if catalogue is None else catalogue

    def write(self, request: MailRequest) -> Letter:
        """Write one letter; raises Unsendable for what is wrong with this request alone."""
        to = request.recipient
        address = checked_address(to.mail)
        wording = wording_for(self._catalogue, request.message, locale_of(to.locale).language)
        name = shortened(clean(to.name), NAME_CHARACTERS_MAX)
        draft = _draft(
            wording,
            tuple(request.values.items()),
            to.zone,
            to.locale,
            _days_left(request),
            NAME_MARK if name and wording.name_apart else name,
        )
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


@dataclass(frozen=True, slots=True)
class Body:
    """A rendered body, encoded but for the lines that show the name: those are text, with a mark in its place."""

    pieces: tuple[bytes | str, ...]
    size: int  # bytes before the encoding
    marks: int

    @classmethod
    def of(cls, text: str) -> "Body":
        """Encode what is the same for everybody; each line is encoded for itself, so they may be taken apart."""
        parts = NAMED_LINES.split(text) if text.endswith("\n") else [text]
        pieces = tuple(part if NAME_MARK in part else b2a_qp(_on_the_wire(part)) for part in parts)
        return cls(pieces, len(_on_the_wire(text)), text.count(NAME_MARK))

    def named(self, name: str) -> bytes:
        """Put the name in, which is escaped as the body demands; raises TooLarge."""
        if self.size + self.marks * (len(_on_the_wire(name)) - 1) > BODY_BYTES_MAX:
            raise TooLarge
        return b"".join(
            piece if isinstance(piece, bytes) else b2a_qp(_on_the_wire(piece.replace(NAME_MARK, name)))
            for piece in self.pieces
        )


@dataclass(frozen=True, slots=True)
class Draft:
    """All of a letter that people with the same training, deadline, zone and locale have in common."""

    subject: bytes
    text: Body
    html: Body


@lru_cache(maxsize=DRAFTS_MAX)
def _draft(
    wording: Wording,
    values: tuple[tuple[str, str], ...],
    zone: str | None,
    locale: str | None,
    days_left: int | None,
    name: str,
) -> Draft:
    """Render a wording from all it may depend on; the name may be the mark in its place."""
    words = _words(wording.needs, dict(values), zone, locale) | {"days_left": days_left, "name": name}
    try:
        subject = shortened(clean(wording.subject.render(words)), SUBJECT_CHARACTERS_MAX)
        words["subject"] = subject
        text, html = wording.text.render(words), wording.html.render(words)
    except TemplateError:  # a fault of the wording: seen at once, and still no other message's fault
        raise Unsendable("template_failed") from None
    return Draft(text_header("Subject", subject), Body.of(text), Body.of(html))


def _days_left(request: MailRequest) -> int | None:
    due_at = request.values.get("due_at", "")
    return days_between(request.now, instant_of("due_at", due_at), request.recipient.zone) if due_at else None


def _words(needs: frozenset[str], values: Mapping[str, str], zone: str | None, locale: str | None) -> dict[str, Any]:
    """Collect what the templates may say: the request's own values, cleaned, and what is derived from them."""
    words: dict[str, Any] = {name: clean(values.get(name, "")) for name in needs - DERIVED}
    due_at = values.get("due_at", "")
    if due_at:
        due = spoken(instant_of("due_at", due_at), zone, locale)
        words |= {"due_day": due.day, "due_time": due.time, "due_utc": due.utc, "zone_known": due.zone_known}
    elif needs & FROM_DUE_AT:
        raise MissingValue("due_at")
    for name in sorted(needs - DERIVED):
        if not words[name]:
            raise MissingValue(name)
    words["short_title"] = shortened(words.get("training_title", ""), TITLE_IN_SUBJECT_CHARACTERS_MAX)
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
            text_header("Duly-Trace", request.trace_id) if request.trace_id else b"",
        )
    )


def _on_the_wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode(errors="replace")


@lru_cache(maxsize=64)
def _sender_header(sender: Mailbox) -> bytes:
    return mailbox_header("From", sender)


@lru_cache(maxsize=256)
def _date_header(now: datetime) -> bytes:
    return f"Date: {format_datetime(now)}\r\n".encode()
