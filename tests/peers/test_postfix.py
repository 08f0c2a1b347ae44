"""What a real mail server brings back: Postfix's own notifications, to addresses that we signed, through our door."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from duly_contracts.people import PersonalData
from messenger.bounces.door import BounceDoor
from messenger.bounces.return_path import ReturnPath
from messenger.smtp.channel import SmtpChannel
from messenger.smtp.relay import parse_smtp_url
from tests.peers import postfix
from tests.peers.postfix import BOUNCES, KNOWN, NO_DOMAIN, UNKNOWN, Postfix
from tests.support import post
from tests.support.bench import Bench
from tests.support.post import ALWAYS
from tests.support.records import Tape, person, requested
from tests.support.returned import KEY
from tests.support.waiting import until

pytestmark = [pytest.mark.connected, pytest.mark.peer]

OUTREACH = UUID(int=1)
PATH = ReturnPath(BOUNCES, [KEY])
STATE = "SELECT state || ' ' || reason || ' ' || code FROM ledger"


@pytest.fixture(name="relay")
async def relay_fixture(messengers: Bench) -> AsyncIterator[Postfix]:
    door = BounceDoor(PATH, ALWAYS, "127.0.0.1", 0)
    await door.start(messengers.context())()
    with tempfile.TemporaryDirectory(prefix="duly-postfix-") as name, postfix.relaying(Path(name), door.port) as relay:
        yield relay
    await door.close()


async def _sent(messengers: Bench, relay: Postfix, mail: str) -> None:
    tape = Tape()
    await messengers.apply(
        tape.record(person(personal=PersonalData(name="Ada", mail=mail)), "v1"), tape.record(requested(OUTREACH), "r1")
    )
    channel = SmtpChannel(parse_smtp_url(f"smtp://127.0.0.1:{relay.port}?tls=none"))
    try:
        await post.sender(messengers.context(), channel, path=PATH).step()
    finally:
        await channel.close()


async def test_mail_that_postfix_delivers_is_sent_and_stays_sent(messengers: Bench, relay: Postfix) -> None:
    await _sent(messengers, relay, KNOWN)

    async def arrived() -> bool:
        return bool(relay.accepted())

    await until(arrived)
    [mail] = relay.accepted()
    assert str(OUTREACH) in mail
    assert (await messengers.column(STATE))[0].startswith("sent accepted")


@pytest.mark.parametrize(("mail", "code"), [(UNKNOWN, "5.1.1"), (NO_DOMAIN, "5.1.2")], ids=["person", "domain"])
async def test_notification_of_postfix_refuses_the_message_and_marks_the_address(
    messengers: Bench,
    relay: Postfix,
    mail: str,
    code: str,
) -> None:
    """RELIABILITY 6 (SMTP): a real relay's RFC 3464 report, to a return address that only we can have written."""
    await _sent(messengers, relay, mail)

    async def came_back() -> bool:
        return await messengers.column(STATE) == [f"refused bounced {code}"]

    await until(came_back)
    assert await messengers.column("SELECT dead_code FROM contacts") == [code]
