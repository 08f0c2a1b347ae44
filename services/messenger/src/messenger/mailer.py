"""From a ledger row and its recipient to a letter: what the sender knows, in the words that mail.py asks for."""

from datetime import datetime

from duly_contracts.traces import trace_id
from messenger.addresses import Mailbox
from messenger.channel import Letter
from messenger.domain import Change, Contact, Outreach
from messenger.mail import MailRequest, MailWriter, Recipient
from messenger.unsendable import AddressRefused, Unsendable


class Mailer:
    """Writes the letters of one sender address."""

    def __init__(self, sender: Mailbox, default_zone: str, default_locale: str) -> None:
        self._sender = sender
        self._default_zone = default_zone
        self._default_locale = default_locale
        self._writer = MailWriter()

    def letter(self, outreach: Outreach, contact: Contact, now: datetime) -> Letter:
        """Write the letter; raises Unsendable for what is wrong with this message alone."""
        return self._writer.write(
            MailRequest(
                outreach_id=outreach.outreach_id,
                about=outreach.about,
                step=outreach.step,
                message=outreach.message,
                values=outreach.values,
                recipient=Recipient(
                    mail=contact.mail or "",
                    name=contact.name,
                    zone=contact.zone or self._default_zone,
                    locale=contact.locale or self._default_locale,
                ),
                sender=self._sender,
                now=now,
                trace_id=trace_id(outreach.traceparent),
            )
        )


def unsendable(outreach: Outreach, error: Unsendable) -> Change:
    """Say what becomes of a message that cannot be written: a bad address is final, all else waits for a person."""
    state = "refused" if isinstance(error, AddressRefused) else "parked"
    return Change(outreach, state, error.reason, attempt=outreach.attempt, code=error.name)
