"""A relay that brings mails back to messenger's door for bounces, as RFC 3464 reports."""

import smtplib

from tests.faults.live.place import HOST
from tests.faults.live.replica import Unanswered

BOUNCE_PORT = "DULY_MESSENGER_BOUNCE_PORT"
WITHIN_S = 20
REPORT = """\
From: <>
To: {to}
Subject: Delivery status {number}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

The status of a mail of yours ({number}).
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; somebody@staff.example
Action: {action}
Status: {status}

--b--
"""


def settings() -> dict[str, str]:
    """Return what every messenger knows of bounces; the door itself can be one process's only."""
    return {
        "DULY_MESSENGER_BOUNCE_DOMAIN": "bounces.staff.example",
        "DULY_MESSENGER_BOUNCE_KEYS": "for-this-campaign-alone-and-no-other",
    }


def bounce(port: int, to: str, action: str, status: str, number: int) -> None:
    """Report to a return address what became of its mail; raises Unanswered unless it was taken."""
    mail = REPORT.format(to=to, action=action, status=status, number=number)
    try:
        with smtplib.SMTP(HOST, port, timeout=WITHIN_S) as door:
            door.sendmail("", [to], mail.replace("\n", "\r\n"))
    except (OSError, smtplib.SMTPException) as error:
        raise Unanswered(type(error).__name__) from None
