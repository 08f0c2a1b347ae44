"""Mails to write, and how a test reads them."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Unpack
from uuid import UUID

from duly_chassis.addresses import Mailbox
from messenger.channel import Letter
from messenger.templates import Catalogue, shipped
from messenger.templating.files import Wording
from messenger.words.drafts import Shared
from messenger.words.mail import MailWriter
from messenger.words.request import Reader, Request

GOLDEN = Path(__file__).parent / "golden"
RECORD = os.environ.get("DULY_GOLDEN") == "1"  # the diff is then reviewed as prose
OUTREACH_ID = UUID("0192f0c1-7a3b-7cde-8f01-23456789abcd")
NOW = datetime(2014, 1, 17, 9, 0, 3, 250, tzinfo=UTC)
SENDER = Mailbox("Duly", "duly@duly.example")
ANN = Reader(address="ann@learners.example", name="Ann Learner", zone="Europe/London", locale="en-GB")
VALUES = {"training_title": "Fire safety & first aid", "due_at": "2014-01-31T23:59:00Z"}


def a_writer(**shared: Unpack[Shared]) -> MailWriter:
    """Return a writer of the shipped wordings, or of these."""
    return MailWriter(SENDER, **shared)


WRITER = a_writer()


def a_request(to: Reader = ANN, *, about: str = "assignment-7", now: datetime | None = None, **values: str) -> Request:
    return Request(
        tenant="acme",
        outreach_id=OUTREACH_ID,
        about=about,
        step="14",
        message="deadline-reminder",
        values=VALUES | values,
        recipient=to,
        now=now or NOW,
    )


def parsed(letter: Letter) -> EmailMessage:
    return message_from_bytes(letter.content, policy=SMTP)


def part(letter: Letter, kind: str) -> str:
    body = parsed(letter).get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def check_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if RECORD:
        path.write_text(text, "utf-8")
    expected = path.read_text("utf-8")

    assert expected == text, f"{name} differs; if that is meant, record it with DULY_GOLDEN=1 and read the diff"


PEOPLE = {
    "en-GB": ANN,
    "de-DE": Reader(address="jo@learners.example", name="Jörg Müller", zone="Europe/Berlin", locale="de-DE"),
    "ja-JP": Reader(address="taro@learners.example", name="山田 太郎", zone="Asia/Tokyo", locale="ja-JP"),
}


def due_line(letter: Letter) -> str:
    found = re.search(r"^(?:Due|Fällig): (.*)$", part(letter, "plain"), re.MULTILINE)
    assert found is not None
    return found[1]


def with_html(source: str) -> MailWriter:
    return changed(lambda one: replace(one, key=source, sources=replace(one.sources, html=source)))


def changed(change: Callable[[Wording], Wording]) -> MailWriter:
    """Return a writer whose wordings were not loaded but made."""
    return a_writer(catalogue=Catalogue({key: [change(one) for one in there] for key, there in shipped().items()}))
