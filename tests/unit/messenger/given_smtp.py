"""Letters and relays: what the tests of SMTP send, to whom, and what may go wrong on the way."""

import ssl
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from messenger.channel import (
    Accepted,
    Answer,
    Gate,
    InDoubt,
    Letter,
    RefusedForGood,
    RefusedForNow,
)
from messenger.smtp.channel import SmtpChannel
from messenger.smtp.relay import SmtpSettings
from tests.unit.messenger.gates import open_gate
from tests.unit.messenger.scripted_smtp import Act, ScriptedSmtp, scripted_smtp

RELAY_PEM = Path(__file__).parent / "tls" / "relay.pem"  # a key and certificate for localhost, for tests only


def a_letter(recipient: str = "ann@learners.example", content: bytes = b"Subject: x\r\n\r\nhello\r\n") -> Letter:
    return Letter(uuid4(), "duly@duly.example", recipient, content)


def accepted(letter: Letter) -> Accepted:
    return Accepted(f"<{letter.outreach_id}@duly.example>")


def settings_for(smtp: ScriptedSmtp, **changes: object) -> SmtpSettings:
    settings = SmtpSettings("127.0.0.1", smtp.port, connections=4, timeout_s=5, loopback_only=True)
    return replace(settings, **changes)  # type: ignore[arg-type]


async def deliver(
    script: dict[str, Act | list[Act]], gate: Gate = open_gate, **changes: object
) -> tuple[Answer, ScriptedSmtp]:
    """Send one letter to a server with this script."""
    async with scripted_smtp(script) as smtp:
        channel = SmtpChannel(settings_for(smtp, **changes))
        answers = await channel.deliver([a_letter()], gate)
        await channel.close()
    return answers[0], smtp


NOT_TAKEN: list[tuple[dict[str, Act | list[Act]], Answer]] = [
    ({"CONNECT": b"554 5.3.2 not you\r\n"}, RefusedForNow("greeting_refused", "554 5.3.2")),
    ({"CONNECT": b"421 busy\r\n"}, RefusedForNow("greeting_refused", "421")),
    ({"CONNECT": "cut"}, RefusedForNow("connection_lost")),
    ({"CONNECT": b"hello, who is this?\r\n"}, RefusedForNow("greeting_refused", "malformed")),
    ({"EHLO": b"550 go away\r\n"}, RefusedForNow("greeting_refused", "550")),
    ({"EHLO": "cut"}, RefusedForNow("connection_lost")),
    ({"MAIL": b"451 4.3.0 later\r\n"}, RefusedForNow("sender_refused", "451 4.3.0")),
    ({"MAIL": b"421 closing\r\n"}, RefusedForNow("sender_refused", "421")),
    ({"MAIL": b"550 5.7.1 no\r\n"}, RefusedForGood("sender_refused", "550 5.7.1")),
    ({"MAIL": "cut"}, RefusedForNow("connection_lost")),
    ({"MAIL": b"??\r\n"}, RefusedForNow("unexpected_reply", "malformed")),
    ({"MAIL": b"354 too eager\r\n"}, RefusedForNow("unexpected_reply", "354")),
    ({"RCPT": b"450 4.2.1 full\r\n"}, RefusedForNow("recipient_refused", "450 4.2.1")),
    ({"RCPT": b"421 closing\r\n"}, RefusedForNow("recipient_refused", "421")),
    ({"RCPT": b"550 5.1.1 <ann@learners.example> unknown\r\n"}, RefusedForGood("recipient_refused", "550 5.1.1")),
    ({"RCPT": "cut"}, RefusedForNow("connection_lost")),
    ({"DATA": b"451 later\r\n"}, RefusedForNow("data_refused", "451")),
    ({"DATA": b"421 closing\r\n"}, RefusedForNow("data_refused", "421")),
    ({"DATA": b"554 no\r\n"}, RefusedForGood("data_refused", "554")),
    ({"DATA": b"250 what body?\r\n"}, RefusedForNow("unexpected_reply", "250")),
    ({"DATA": b"354 go on\r\n250 taken before it came\r\n"}, RefusedForNow("unexpected_reply")),
    ({"DATA": "cut"}, RefusedForNow("connection_lost")),
    ({"BODY": b"451 4.3.0 later\r\n"}, RefusedForNow("content_refused", "451 4.3.0")),
    ({"BODY": b"421 4.3.2 closing\r\n"}, RefusedForNow("content_refused", "421 4.3.2")),
    ({"BODY": b"552 5.3.4 too big\r\n"}, RefusedForGood("content_refused", "552 5.3.4")),
    ({"BODY": b"550-5.7.1 spam,\r\n550 5.7.1 we think\r\n"}, RefusedForGood("content_refused", "550 5.7.1")),
]
IN_DOUBT: list[tuple[dict[str, Act | list[Act]], Answer]] = [
    ({"BODY": "cut"}, InDoubt("connection_lost")),
    ({"HALFWAY": "cut"}, InDoubt("connection_lost")),
    ({"BODY": b"thanks!\r\n"}, InDoubt("unexpected_reply", "malformed")),
    ({"BODY": b"252 perhaps\r\n"}, InDoubt("unexpected_reply", "252")),
    ({"BODY": b"354 more\r\n"}, InDoubt("unexpected_reply", "354")),
    ({"BODY": b"999 what\r\n"}, InDoubt("unexpected_reply", "malformed")),
    ({"BODY": b"25\r\n"}, InDoubt("unexpected_reply", "malformed")),
    ({"BODY": b"2" * 40_000 + b"\r\n"}, InDoubt("unexpected_reply", "malformed")),
]
STARTTLS_OFFERED = b"250-scripted\r\n250 STARTTLS\r\n"


def relay_tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(RELAY_PEM)
    return context
