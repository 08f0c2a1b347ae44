"""One stored mail as people look at it: what stands in its headers, its text, its HTML, what is attached."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.errors import MessageError
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.utils import parsedate_to_datetime

from duly_local.page.words import BOUNDED, body_of, fit, text_of

HEAD_BYTES_MAX = 32 * 1024
"""What is read of a mail for a line of the list."""
HEAD_CHARACTERS_MAX = 500
"""Of each of the fields below."""
HEADERS_MAX = 200
PARTS_MAX = 50
LINES_MAX = 60_000
"""A mail with more, or with more parts, is shown as it came: the parser takes minutes for some of a million lines."""
SHOWN_CHARACTERS_MAX = 500_000


@dataclass(frozen=True, slots=True)
class Head:
    """What the list shows of a mail; every text fit to be shown, empty where the mail says nothing."""

    number: int
    to: str
    sender: str
    subject: str
    date: str
    """UTC as in 2026-03-18 09:00, or the header's own text where that is no date."""
    about: str
    step: str
    tenant: str
    outreach_id: str


@dataclass(frozen=True, slots=True)
class Attached:
    """A part that is neither the text nor the HTML; it is named, not shown."""

    name: str
    kind: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A whole mail."""

    head: Head
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str
    attached: tuple[Attached, ...]
    trouble: str
    """Why the mail is shown as it came, or empty."""
    size_bytes: int


def head_of(number: int, start: bytes) -> Head:
    """Read the headers from a mail's first bytes; never raises."""
    return _head(number, _headers(BytesHeaderParser(policy=BOUNDED).parsebytes(_header_block(start))))


def letter_of(number: int, raw: bytes) -> Letter:
    """Read a whole mail; never raises: one that cannot be taken apart is shown as it came, and says so."""
    trouble = _too_much(raw)
    message, parts = Message(policy=BOUNDED), list[Message]()
    if not trouble:
        try:
            message = BytesParser(policy=BOUNDED).parsebytes(raw)
            parts = [part for part in message.walk() if not part.is_multipart()]
        except (MessageError, ValueError, LookupError, RecursionError, AttributeError, TypeError) as error:
            trouble = f"it cannot be taken apart ({type(error).__name__})"  # known faults of the library's parser
    if trouble:
        message = BytesHeaderParser(policy=BOUNDED).parsebytes(_header_block(raw[:HEAD_BYTES_MAX]))
    text, html, attached = _contents(parts)
    if trouble:
        text = fit(raw.decode("utf-8", "replace"))
    headers = _headers(message)
    return Letter(
        head=_head(number, headers),
        headers=tuple(headers[:HEADERS_MAX]),
        text=_cut(text),
        html=html,  # whole: cut HTML would say something else
        attached=tuple(attached[:PARTS_MAX]),
        trouble=trouble,
        size_bytes=len(raw),
    )


def _too_much(raw: bytes) -> str:
    if raw.count(b"\n") > LINES_MAX:
        return f"it has more than {LINES_MAX} lines"
    if raw.lower().count(b"boundary") > PARTS_MAX:
        return f"it claims more than {PARTS_MAX} levels of parts"
    return ""


def _contents(parts: list[Message]) -> tuple[str, str, list[Attached]]:
    """Choose the first text and the first HTML to be shown; name all the rest."""
    shown: dict[str, str] = {}
    attached = []
    for part in parts:
        kind, name = part.get_content_type(), part.get_filename()
        if kind in {"text/plain", "text/html"} and kind not in shown and name is None:
            shown[kind] = body_of(part)
        else:
            content = part.get_payload(decode=True)
            size_bytes = len(content) if isinstance(content, bytes) else 0
            attached.append(Attached(text_of(str(name or "")), text_of(kind), size_bytes))
    return shown.get("text/plain", ""), shown.get("text/html", ""), attached


def _header_block(start: bytes) -> bytes:
    """Return the lines before the first empty one."""
    ends = [at for at in (start.find(b"\r\n\r\n"), start.find(b"\n\n")) if at >= 0]
    return start[: min(ends) + 2] if ends else start


def _headers(message: Message) -> list[tuple[str, str]]:
    return [(text_of(name), text_of(str(value))) for name, value in message.raw_items()]


def _head(number: int, headers: list[tuple[str, str]]) -> Head:
    found: dict[str, str] = {}
    for name, value in headers:
        found.setdefault(name.lower(), value[:HEAD_CHARACTERS_MAX])
    return Head(
        number=number,
        to=found.get("to") or found.get("delivered-to", ""),
        sender=found.get("from", ""),
        subject=found.get("subject", ""),
        date=_moment(found.get("date", "")),
        about=found.get("duly-about", ""),
        step=found.get("duly-step", ""),
        tenant=found.get("duly-tenant", ""),
        outreach_id=found.get("duly-outreach-id", ""),
    )


def _moment(date: str) -> str:
    try:
        moment: datetime = parsedate_to_datetime(date)
        return f"{moment.astimezone(UTC) if moment.tzinfo else moment:%Y-%m-%d %H:%M}"
    except (ValueError, TypeError, IndexError, OverflowError):
        return date


def _cut(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS_MAX:
        return text
    return f"{text[:SHOWN_CHARACTERS_MAX]}\n\n[the rest of {len(text):,} characters is not shown]"
