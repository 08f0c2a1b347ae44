"""The mails of a local inbox, read by nothing but the standard library."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple


class Told(NamedTuple):
    """Who was told what: address, assignment, step and the moment."""

    to: str
    about: str
    step: str
    date: str


def mails(inbox: Path) -> list[EmailMessage]:
    """Read every finished mail, in the order of arrival."""
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(inbox.rglob("*.eml"))]


def told(inbox: Path) -> list[Told]:
    """Return who was told what, sorted; doubled mails stand there twice."""
    return sorted(
        Told(mail["Delivered-To"], mail["Duly-About"], mail["Duly-Step"], mail["Date"].datetime.isoformat())
        for mail in mails(inbox)
    )
