"""From a ledger row and its recipient to a letter: what the sender knows, in the words that mail.py asks for."""

from collections.abc import Sequence
from datetime import datetime

from duly_chassis.addresses import Mailbox
from duly_contracts.traces import trace_id
from messenger.channel import Letter
from messenger.claims import Claimed
from messenger.domain import Contact, Outreach
from messenger.mail import MailRequest, MailWriter, Recipient


class Mailer:
    """Writes the letters of one sender address."""

    def __init__(self, sender: Mailbox, default_zone: str, writer: MailWriter | None = None) -> None:
        self._sender = sender
        self._default_zone = default_zone
        self._writer = writer or MailWriter()

    async def prepare(self, claimed: Sequence[Claimed], now: datetime) -> None:
        """Render what the letters of these rows need, so that writing them waits for nothing."""
        await self._writer.prepare([self._request(row, contact, now) for row, contact, _ in claimed if contact])

    def letter(self, outreach: Outreach, contact: Contact, now: datetime) -> Letter:
        """Write the letter; raises Unsendable for what is wrong with this message alone."""
        return self._writer.write(self._request(outreach, contact, now))

    def _request(self, outreach: Outreach, contact: Contact, now: datetime) -> MailRequest:
        return MailRequest(
            tenant=outreach.tenant_id,
            outreach_id=outreach.outreach_id,
            about=outreach.about,
            step=outreach.step,
            message=outreach.message,
            values=outreach.values,
            recipient=recipient(contact, self._default_zone),
            sender=self._sender,
            now=now,
            trace_id=trace_id(outreach.traceparent),
        )


def recipient(contact: Contact, default_zone: str) -> Recipient:
    """Say whom a letter goes to."""
    return Recipient(
        mail=contact.mail or "", name=contact.name, zone=contact.zone or default_zone, locale=contact.locale
    )
