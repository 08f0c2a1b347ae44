"""From a ledger row and its recipient to a message in Slack: what the sender knows, in the words of slack_writer.py."""

from collections.abc import Sequence
from datetime import datetime

from messenger.channel import Letter
from messenger.claims import Claimed
from messenger.domain import Contact, Outreach
from messenger.slack_writer import ChatRequest, Member, SlackWriter


class SlackLetters:
    """Writes the messages of one workspace."""

    def __init__(self, default_zone: str, writer: SlackWriter | None = None) -> None:
        self._default_zone = default_zone
        self._writer = writer or SlackWriter()

    async def prepare(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """Render what the messages of these rows need, so that writing them waits for nothing."""
        await self._writer.prepare([self._request(row, contact, now) for row, contact, _ in claimed if contact])

    def letter(self, outreach: Outreach, contact: Contact, now: datetime) -> Letter:
        """Write the message; raises Unsendable for what is wrong with this one alone."""
        return self._writer.write(self._request(outreach, contact, now))

    def _request(self, outreach: Outreach, contact: Contact, now: datetime) -> ChatRequest:
        return ChatRequest(
            tenant=outreach.tenant_id,
            outreach_id=outreach.outreach_id,
            about=outreach.about,
            step=outreach.step,
            message=outreach.message,
            values=outreach.values,
            recipient=Member(
                address=contact.mail or "",
                name=contact.name,
                zone=contact.zone or self._default_zone,
                locale=contact.locale,
            ),
            now=now,
        )
