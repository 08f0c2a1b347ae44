"""From ledger rows and their recipients to letters: the way that every channel takes, whoever writes for it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from messenger.bounces.return_path import ReturnPath
from messenger.channel import Letter
from messenger.domain import Contact, Outreach
from messenger.sending.claims import Claimed
from messenger.words.request import Request, of_row


class Pen(Protocol):
    """Who writes in one channel's form: words/mail.py, words/slack_writer.py and the others."""

    async def prepare(self, requests: Sequence[Request]) -> None:
        """Render what these need and none needed before; `write` tells what came of it."""

    def write(self, request: Request) -> Letter:
        """Write one; raises Unsendable for what is wrong with this request alone, Later if it is unprepared."""


class Letters:
    """The Writer (writer.py) of a channel; people whose zone is not known are told moments in the default zone."""

    def __init__(self, pen: Pen, default_zone: str) -> None:
        self._pen = pen
        self._default_zone = default_zone

    async def prepare(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """Render what the letters of these rows need, so that writing them waits for nothing."""
        await self._pen.prepare(
            [of_row(row, contact, self._default_zone, now) for row, contact, _ in claimed if contact]
        )

    def letter(self, outreach: Outreach, contact: Contact, now: datetime) -> Letter:
        """Write the letter; raises Unsendable for what is wrong with this message alone."""
        return self._pen.write(of_row(outreach, contact, self._default_zone, now))


class ReturningLetters(Letters):
    """Letters that come back, if they come back, to an address of their own."""

    def __init__(self, path: ReturnPath, pen: Pen, default_zone: str) -> None:
        super().__init__(pen, default_zone)
        self._path = path

    def letter(self, outreach: Outreach, contact: Contact, now: datetime) -> Letter:
        """Write the letter of the attempt that comes next; raises Unsendable."""
        letter = super().letter(outreach, contact, now)
        address = self._path.address(outreach.tenant_id, outreach.outreach_id, outreach.attempt + 1)
        return replace(letter, return_path=address)
