"""The ways in for mail that came back: the door, a folder, HTTP; what is bounded there, and what is forged."""

import asyncio
import json
from base64 import b64encode
from typing import Any, cast
from unittest.mock import Mock

import aiosmtplib
import pytest
from pydantic import SecretStr

from duly_chassis.routes import Routes
from duly_chassis.scrape import Scrape
from duly_chassis.traces import Traces
from duly_chassis.web import Refusal
from messenger.app import build
from messenger.bounces.door import BounceDoor
from messenger.bounces.dsn import MAIL_BYTES_MAX
from messenger.orders import bounces as bounce_orders
from tests.integration.given_bounces import FAILED, OUTREACH, SENT, STATE, STORY, counted, forged, listed, order, sent
from tests.support.bench import Bench
from tests.support.post import ALWAYS
from tests.support.returned import DOMAIN, KEY, PATH, delivered, notice
from tests.support.waiting import until

pytestmark = pytest.mark.connected


@pytest.mark.parametrize("how", forged(PATH.address("acme", OUTREACH, 1)))
async def test_s40_forged_return_address_changes_nothing_and_is_not_refused(
    messengers: Bench, door: BounceDoor, how: str
) -> None:
    """S-40: a refusal would let the relay answer somebody, and would tell which guess was right."""
    back = await sent(messengers)
    reply = await delivered(door.port, notice(), forged(back)[how])

    assert reply.code == 250
    assert await messengers.column(STATE) == ["sent accepted "]
    assert await messengers.column("SELECT count(*) FROM bounces") == [0]
    assert await counted(messengers, "forged") == 1


async def test_s40_auto_reply_and_strangers_mail_change_nothing(messengers: Bench, door: BounceDoor) -> None:
    """S-40: an answering machine is counted, anything else is a finding; neither is answered, nor kept."""
    back = await sent(messengers)
    away = b"From: ada@example.org\r\nAuto-Submitted: auto-replied\r\nSubject: Away\r\n\r\nBack on Monday.\r\n"
    await delivered(door.port, away, back)
    await delivered(door.port, b"From: ada@example.org\r\n\r\nWho are you?\r\n", back, sender="ada@example.org")

    assert await messengers.column(STATE) == ["sent accepted "]
    assert await counted(messengers, "auto_reply") == 1
    assert [(one["kind"], one["person_id"]) for one in (await listed(messengers))["odd"]] == [("unreadable", "p1")]
    assert await messengers.column(STORY) == ["sent bounce_unreadable "]


async def test_door_takes_mail_for_the_bounce_domain_only(messengers: Bench, door: BounceDoor) -> None:
    """It is no relay."""
    back = await sent(messengers)
    elsewhere = back.replace(DOMAIN, "example.org")
    for address in (elsewhere, f"{back}.example.net", "ada@example.org", f"ada%{DOMAIN}@example.org"):
        with pytest.raises(aiosmtplib.SMTPRecipientRefused) as refused:
            await delivered(door.port, notice(), address)
        assert refused.value.code == 550


async def test_10_mb_are_refused_and_the_door_stays_open(messengers: Bench, door: BounceDoor) -> None:
    back = await sent(messengers)
    huge = notice() + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (10 * MAIL_BYTES_MAX // 72)
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await delivered(door.port, huge, back)
    assert refused.value.code == 552

    await delivered(door.port, notice(), back)
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]


async def test_relay_keeps_a_bounce_while_the_database_is_away(
    messengers: Bench, door: BounceDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """250 only after the commit, 451 otherwise; what comes again is taken."""
    back = await sent(messengers)
    with monkeypatch.context() as patch:
        patch.setattr(messengers.database, "transaction", _away)
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await delivered(door.port, notice(), back)
    assert refused.value.code == 451
    assert await messengers.column(STATE) == ["sent accepted "]

    await delivered(door.port, notice(), back)
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]


def _away() -> Any:
    raise ConnectionRefusedError


async def test_door_bounds_its_connections(
    messengers: Bench, door: BounceDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messenger.bounces.door.CONNECTIONS_MAX", 2)
    back = await sent(messengers)
    held = [await asyncio.open_connection("127.0.0.1", door.port) for _ in range(2)]
    assert [(await reader.readline())[:3] for reader, _ in held] == [b"220", b"220"]
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    assert (await reader.readline())[:3] == b"421"
    for one in (writer, *(writer for _, writer in held)):
        one.close()
    await until(lambda: not door._sessions)

    assert (await delivered(door.port, notice(), back)).code == 250


async def test_folder_of_stored_mail_is_taken_by_the_header_of_each(messengers: Bench) -> None:
    """The other door: people with a mailbox; a signature is as good in a header as in an envelope."""
    back = await sent(messengers)
    take = bounce_orders.takes(PATH, ALWAYS)
    mails = {
        "failed": f"Delivered-To: {back}\n".encode() + notice(to="<duly@example.org>"),
        "forged": f"Delivered-To: {forged(back)['another id']}\n".encode() + notice(),
    }
    kinds = {
        name: (await order(messengers, take, mail=b64encode(mail).decode()))["kind"] for name, mail in mails.items()
    }

    assert kinds == {"failed": "failed", "forged": "forged"}
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    with pytest.raises(Refusal, match="needs_mail"):
        await order(messengers, take, mail="no base64!")
    with pytest.raises(Refusal, match="no_bounce_domain"):
        await order(messengers, bounce_orders.takes(None, ALWAYS), mail="")


async def test_http_takes_a_large_mail_and_counts_it_after_the_commit(messengers: Bench) -> None:
    """As `duly bounces take` asks: our own mail may come back whole."""
    back = await sent(messengers)
    mail = f"Delivered-To: {back}\n".encode() + notice() + b"x\n" * 20_000 + b"y" * 700_000
    settings = messengers.settings.model_copy(
        update={"bounce_domain": DOMAIN, "bounce_keys": SecretStr(KEY), "bounce_port": None}
    )
    service = build(settings, messengers.clock)  # type: ignore[arg-type]
    nobody = cast(Any, Mock())
    scrape = Scrape(messengers.metrics, nobody, nobody, nobody)
    routes = Routes(
        service, settings, messengers.database, nobody, scrape, messengers.clock, lambda: None, Traces(), nobody
    )
    body = json.dumps({"mail": b64encode(mail).decode()}).encode()
    told: list[Any] = []

    async def receive() -> Any:
        return {"body": body, "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/bounces/take", "query_string": b"", "headers": []}
    await dict(routes.table())["/v1/bounces/take"](scope, receive, send)

    assert (told[0]["status"], json.loads(told[1]["body"])["kind"]) == (200, "failed")
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert await messengers.outgoing() == [SENT, FAILED]
    assert await counted(messengers, "failed") == 1
