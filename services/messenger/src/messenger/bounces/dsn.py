"""What a mail that came back says: a delivery status notification (RFC 3464), an answering machine, or neither.

The standard library's parser does the reading; here is only what may be believed of it. The mail is a stranger's:
it is bounded before it is parsed, nothing of its text is kept, and whatever the parser trips over is unreadable.
"""

import re
from collections.abc import Iterator
from email import policy
from email.message import Message
from email.parser import BytesParser, HeaderParser

from messenger.bounces.effects import DEAD, Kind, Report

MAIL_BYTES_MAX = 1_000_000
TYPES_MAX = 100  # each part that could nest or hide something names its type: bounds depth and parts
TYPE_BYTES_MAX = 4_000  # of one such header: the parser takes the square of its length
BOUNDARIES_MAX = 1_000  # lines that could begin a part
LINES_MAX = 30_000
EMPTY_LINES_MAX = 5_000  # each could end the block of a recipient; our own mails, sent back whole, have few
DEPTH_MAX = 10
BLOCKS_MAX = 100  # recipients of one notification

A_TYPE = re.compile(rb"content-type[^\n]*(?:\n[ \t][^\n]*)*")
STATUS = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})(?!\S)")
DIAGNOSTIC = re.compile(r"\s*smtp\s*;\s*[245]\d\d[ -]([245]\.\d{1,3}\.\d{1,3})(?!\S)", re.IGNORECASE)
REPORTS = ("message/delivery-status", "message/global-delivery-status")
MACHINES = ("x-autoreply", "x-autorespond", "x-autoresponder")
POSTMASTERS = re.compile(r"mailer-daemon|postmaster|mail delivery", re.IGNORECASE)


ACTIONS = {
    "failed": Kind.FAILED,
    "delayed": Kind.DELAYED,
    "delivered": Kind.DELIVERED,
    "relayed": Kind.DELIVERED,
    "expanded": Kind.DELIVERED,
}
MILDEST = (Kind.DELIVERED, Kind.DELAYED, Kind.FAILED)


def read(raw: bytes) -> Report:
    """Read a mail that came back; never raises, whatever it is."""
    if len(raw) > MAIL_BYTES_MAX or _bomb(raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lower()):
        return Report(Kind.UNREADABLE)
    try:
        return _report(BytesParser(policy=policy.compat32).parsebytes(raw))
    except Exception:  # noqa: BLE001 - the parser has tripped over strangers' mails before, each time in another way
        return Report(Kind.UNREADABLE)


def _bomb(lines: bytes) -> bool:
    """Tell what would take the parser long: many parts, parts in parts, many blocks, or one endless type."""
    return (
        lines.count(b"content-type") > TYPES_MAX
        or lines.count(b"\n--") > BOUNDARIES_MAX
        or lines.count(b"\n") > LINES_MAX
        or lines.count(b"\n\n") > EMPTY_LINES_MAX
        or any(len(found[0]) > TYPE_BYTES_MAX for found in A_TYPE.finditer(lines))
    )


def headers(raw: bytes) -> str:
    """Return the lines in which a mailbox notes whom a mail was delivered to; never raises."""
    names = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to")
    try:
        mail = BytesParser(policy=policy.compat32).parsebytes(raw[:MAIL_BYTES_MAX], headersonly=True)
        return "\n".join(str(value) for name in names for value in mail.get_all(name, []))
    except Exception:  # noqa: BLE001 - as above
        return ""


def _report(mail: Message) -> Report:
    found = [report for part in _parts(mail) for block in _blocks(part) if (report := _recipient(block)) is not None]
    if found:
        return min(found, key=_severity)
    return Report(Kind.AUTO_REPLY if _by_machine(mail) else Kind.UNREADABLE)


def _parts(mail: Message, depth: int = 0) -> Iterator[Message]:
    """Yield the parts that may hold a status; never those inside a mail that is only quoted."""
    if mail.get_content_maintype() == "multipart" and depth < DEPTH_MAX:
        content = mail.get_payload()
        for part in content if isinstance(content, list) else ():
            if isinstance(part, Message):
                yield from _parts(part, depth + 1)
    elif mail.get_content_type() in REPORTS and depth > 0:
        yield mail


def _blocks(part: Message) -> list[Message]:
    """Return the blocks of a status, each as headers: the first about the mail, one for each recipient."""
    content = part.get_payload()
    blocks = [block for block in content if isinstance(block, Message)] if isinstance(content, list) else []
    if part.get_content_type() == REPORTS[1] and blocks:  # the parser takes it for a mail with a body
        rest = blocks[0].get_payload()
        texts = re.split(r"\r?\n\r?\n", rest, maxsplit=BLOCKS_MAX) if isinstance(rest, str) else []
        blocks += [HeaderParser(policy=policy.compat32).parsestr(text.strip() + "\n\n") for text in texts]
    return blocks[:BLOCKS_MAX]


def _recipient(block: Message) -> Report | None:
    """Read what is said of one recipient; None for a block that says nothing of one."""
    kind = ACTIONS.get(str(block.get("action", "")).split("(")[0].strip().lower())
    if kind is None:
        return None
    own = STATUS.match(str(block.get("status", "")))
    status = ".".join(own.groups()) if own else ""
    diagnostic = DIAGNOSTIC.match(str(block.get("diagnostic-code", "")))
    vague = not status or status.endswith(".0.0")  # as Exim writes it: the server's own word says more
    if vague and diagnostic and (not status or diagnostic[1][0] == status[0]):
        status = diagnostic[1]
    return Report(kind, status)


def _severity(report: Report) -> tuple[int, bool, bool]:
    """Order reports, the mildest first: an alias of which one member is gone has not failed."""
    return MILDEST.index(report.kind), report.status.startswith("5"), report.status in DEAD


def _by_machine(mail: Message) -> bool:
    """Tell an answering machine (RFC 3834) from a mail server that does not know RFC 3464."""
    if POSTMASTERS.search(str(mail.get("from", ""))) or "x-failed-recipients" in mail:
        return False
    return (
        str(mail.get("auto-submitted", "no")).strip().lower() != "no"
        or str(mail.get("precedence", "")).strip().lower() in {"auto_reply", "auto-reply", "bulk", "junk", "list"}
        or any(name in mail for name in MACHINES)
        or mail.get_param("report-type") == "disposition-notification"
    )
