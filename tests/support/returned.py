"""Mail that comes back, played by a test: notifications as mail servers write them, and a relay that delivers them."""

import aiosmtplib

from messenger.bounces.return_path import ReturnPath

DOMAIN = "bounces.example.org"
KEY = "a key of the tests with 32 characters and more"
OLD_KEY = "the key before it and also of 32 characters"
PATH = ReturnPath(DOMAIN, [KEY])

NOTICE = """\
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
To: {to}
Subject: Undelivered Mail Returned to Sender
Message-ID: <{name}@mx.example.net>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="cut"

--cut
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.net.

--cut
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; ada@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} said the other side

--cut--
"""


def notice(action: str = "failed", status: str = "5.1.1", to: str = "<>", name: str = "n1") -> bytes:
    """Write a notification about one recipient; `name` makes it another mail."""
    return NOTICE.format(action=action, status=status, to=to, name=name).encode()


async def delivered(port: int, mail: bytes, *to: str, sender: str = "") -> aiosmtplib.SMTPResponse:
    """Deliver a mail as a relay does, with the empty sender; give the answer to the body, or raise the refusal."""
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=20, start_tls=False, use_tls=False) as relay:
        await relay.ehlo()
        await relay.mail(sender)
        for one in to:
            await relay.rcpt(one)
        return await relay.data(mail)
