"""From a ledger row to a card in a team's channel, in the words of chats (slack_writer.py)."""

from collections.abc import Collection, Sequence
from datetime import datetime

from messenger.channel import Letter, Note
from messenger.chat_layout import plain
from messenger.claims import Claimed
from messenger.domain import TEAM, Contact, Outreach
from messenger.slack_writer import ChatRequest, Member, SlackWriter
from messenger.teams_card import body
from messenger.unsendable import NotSetUp


class TeamsLetters:
    """Writes the cards of the tenants that have a webhook; who is greeted is the person it is about."""

    def __init__(self, default_zone: str, chats: SlackWriter, tenants: Collection[str]) -> None:
        self._default_zone = default_zone
        self._chats = chats
        self._tenants = tenants

    async def prepare(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """Render what the cards of these rows need, so that writing them waits for nothing."""
        known = [(row, contact) for row, contact, _ in claimed if contact and row.tenant_id in self._tenants]
        await self._chats.prepare([self._request(row, contact, now) for row, contact in known])

    def letter(self, outreach: Outreach, contact: Contact, now: datetime) -> Letter:
        """Write the card; raises Unsendable for what is wrong with this one alone, NotSetUp without a webhook."""
        if outreach.tenant_id not in self._tenants:
            raise NotSetUp
        wording, said = self._chats.said(self._request(outreach, contact, now))
        return Letter(
            outreach_id=outreach.outreach_id,
            sender="",  # the workflow posts in its own name
            recipient=TEAM,
            wording=wording.version,
            note=Note(outreach.tenant_id, outreach.about, outreach.step, plain(said), body(said)),
        )

    def _request(self, outreach: Outreach, contact: Contact, now: datetime) -> ChatRequest:
        return ChatRequest(
            tenant=outreach.tenant_id,
            outreach_id=outreach.outreach_id,
            about=outreach.about,
            step=outreach.step,
            message=outreach.message,
            values=outreach.values,
            recipient=Member(
                address="", name=contact.name, zone=contact.zone or self._default_zone, locale=contact.locale
            ),
            now=now,
        )
