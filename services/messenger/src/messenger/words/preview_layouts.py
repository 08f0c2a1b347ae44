"""What is shown of a message: a mail taken apart, the blocks or the card of a chat, a text with its segments."""

from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from typing import Any

from messenger.domain import MAIL, SLACK, SMS, TEAMS
from messenger.teams.channel import card
from messenger.words.chat_layout import plain
from messenger.words.drafts import Drafts
from messenger.words.mail import MailWriter
from messenger.words.request import Request
from messenger.words.slack_blocks import blocks
from messenger.words.slack_writer import SlackWriter
from messenger.words.sms_segments import size_of
from messenger.words.sms_writer import TextWriter
from messenger.words.teams_card import body

Layout = Callable[[Request], dict[str, Any]]
"""Lays a prepared request out; raises Unsendable."""


@dataclass(frozen=True, slots=True)
class Writers:
    """Who writes on which channel, and the zone of people whose own is not known."""

    mails: MailWriter
    chats: SlackWriter
    texts: TextWriter
    zone: str

    def on(self, channel: str) -> tuple[Drafts[Any], Layout]:
        """Return who writes on a channel, and what is shown of it; raises KeyError for a channel that nobody knows."""
        found: dict[str, tuple[Drafts[Any], Layout]] = {
            MAIL: (self.mails, self._mail),
            SLACK: (self.chats, self._blocks),
            SMS: (self.texts, self._text),
            TEAMS: (self.chats, self._card),
        }
        return found[channel]

    def _mail(self, request: Request) -> dict[str, Any]:
        """Take a mail apart again, as a mail program would."""
        content = self.mails.write(request).content
        mail = message_from_bytes(content, policy=WIRE)
        return {
            "headers": {name: str(value) for name, value in mail.items()},
            "subject": str(mail["Subject"]),
            "text": part(mail, "plain"),
            "html": part(mail, "html"),
            "eml": content.decode("ascii"),
        }

    def _blocks(self, request: Request) -> dict[str, Any]:
        _, said = self.chats.said(request)
        return {"text": plain(said), "blocks": list(blocks(said))}

    def _card(self, request: Request) -> dict[str, Any]:
        _, said = self.chats.said(request)
        return {"text": plain(said), "card": card(plain(said), body(said))}

    def _text(self, request: Request) -> dict[str, Any]:
        """Show a text with its segments, to a number that need not be there."""
        _, text = self.texts.text(request)
        size = size_of(text)
        return {"text": text, "encoding": size.encoding, "segments": size.segments, "characters": len(text)}


def part(mail: EmailMessage, kind: str) -> str:
    """Return one body of a mail as text."""
    found = mail.get_body((kind,))
    return "" if found is None else str(found.get_content()).replace("\r\n", "\n")
