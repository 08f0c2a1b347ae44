"""Twilio's adapter against emulate, a program that nobody here wrote, with faults from mitmproxy between them.

emulate 0.12.2 deviates from Twilio: it ignores DateSent, answers 21201 for a malformed number where Twilio answers
21211, and knows neither 21610 nor 429 (mitmproxy answers them).
"""

import json
from collections.abc import AsyncIterator
from itertools import count

import aiohttp
import pytest

from duly_chassis.clock import SystemClock
from messenger.channel import Accepted, Answer, InDoubt, Letter, NotThere, RefusedForGood, RefusedForNow
from messenger.twilio.channel import TwilioSms
from messenger.twilio.client import TwilioSettings
from tests.peers.vendor_letters import letter, now, opened, sought
from tests.peers.vendors import TWILIO_NUMBER, TWILIO_SERVICE, TWILIO_SID, TWILIO_TOKEN, Emulated

pytestmark = pytest.mark.peer

NEXT = count(1)


@pytest.fixture(name="texts")
async def texts_fixture(vendors: Emulated) -> AsyncIterator[TwilioSms]:
    settings = TwilioSettings(TWILIO_SID, TWILIO_TOKEN, vendors.twilio.faulty_url, loopback_only=True)
    channel = TwilioSms(settings, SystemClock())
    yield channel
    await channel.close()


def text(sender: str = TWILIO_NUMBER) -> Letter:
    """Write to a number that nobody has written to yet: what emulate holds outlives a test."""
    return letter(f"+4474000{next(NEXT):05}", sender)


async def sent(texts: TwilioSms, *letters: Letter) -> list[Answer]:
    return await texts.deliver(letters, opened)


async def taken(vendors: Emulated, one: Letter) -> int:
    """Count how often this text was taken, asked without any code of ours."""
    url = f"{vendors.twilio.url}/2010-04-01/Accounts/{TWILIO_SID}/Messages.json"
    auth = aiohttp.encode_basic_auth(TWILIO_SID, TWILIO_TOKEN)
    async with (
        aiohttp.ClientSession(headers={"Authorization": auth}) as session,
        session.get(url, params={"To": one.recipient}) as answer,
    ):
        held = (await answer.json())["messages"]
    assert one.note is not None
    return sum(message["body"] == one.note.text for message in held)


@pytest.mark.parametrize("sender", [TWILIO_NUMBER, TWILIO_SERVICE], ids=["number", "messaging service"])
async def test_text_is_accepted_once_and_read_back_by_its_token(
    texts: TwilioSms, vendors: Emulated, sender: str
) -> None:
    since, one = now(), text(sender)
    [answer] = await sent(texts, one)

    assert isinstance(answer, Accepted)
    assert await taken(vendors, one) == 1
    assert await texts.find(sought([one], since)) == [answer]


async def test_thirty_two_at_once_are_accepted_once_each(texts: TwilioSms, vendors: Emulated) -> None:
    letters = [text() for _ in range(32)]
    answers = await sent(texts, *letters)

    assert all(isinstance(answer, Accepted) for answer in answers)
    assert [await taken(vendors, one) for one in letters] == [1] * 32


async def test_answer_that_is_lost_after_acceptance_is_found_and_one_lost_before_is_not(
    texts: TwilioSms, vendors: Emulated
) -> None:
    """RELIABILITY 6.5, 6.7."""
    since = now()
    for action, held in (("lost", 1), ("reset", 0)):
        one = text()
        vendors.twilio.err("Messages.json", action)
        [answer] = await sent(texts, one)
        assert isinstance(answer, InDoubt)
        assert await taken(vendors, one) == held
        [found] = await texts.find(sought([one], since))
        assert isinstance(found, Accepted if held else NotThere)


@pytest.mark.parametrize(("retry_after", "after_s"), [("12", 12), ("2.5", 2.5), ("-3", 0), ("soon", None)])
async def test_limit_is_a_refusal_for_now_of_the_whole_account(
    texts: TwilioSms, vendors: Emulated, retry_after: str, after_s: float | None
) -> None:
    one = text()
    body = json.dumps({"code": 20429, "message": "Too Many Requests", "status": 429})
    vendors.twilio.err("Messages.json", "refuse", retry_after=retry_after, body=body)
    [answer] = await sent(texts, one)

    assert isinstance(answer, RefusedForNow)
    assert (answer.reason, answer.after_s, answer.scope) == ("rate_limited", after_s, "account")
    assert await taken(vendors, one) == 0


async def test_server_error_is_doubt_that_reading_back_settles(texts: TwilioSms, vendors: Emulated) -> None:
    """A retry after Twilio's 500 can reach the person twice."""
    for action, held in (("replaced", 1), ("refuse", 0)):
        since, one = now(), text()
        body = json.dumps({"code": 20500, "message": "Internal Server Error", "status": 500})
        vendors.twilio.err("Messages.json", action, status=500, body=body)
        assert isinstance((await sent(texts, one))[0], InDoubt)
        assert await taken(vendors, one) == held
        [found] = await texts.find(sought([one], since))
        assert isinstance(found, Accepted if held else NotThere)


@pytest.mark.parametrize("code", [21610, 21211, 21614])
async def test_number_that_cannot_be_reached_is_refused_for_good(
    texts: TwilioSms, vendors: Emulated, code: int
) -> None:
    body = json.dumps({"code": code, "message": "no", "status": 400})
    vendors.twilio.err("Messages.json", "refuse", status=400, body=body)
    [answer] = await sent(texts, text())

    assert isinstance(answer, RefusedForGood)
    assert (answer.code, answer.address) == (str(code), True)


async def test_sender_that_is_not_ours_is_refused_for_good_and_is_no_matter_of_the_address(texts: TwilioSms) -> None:
    """21606, as emulate itself answers it."""
    [answer] = await sent(texts, text("+15005550999"))

    assert isinstance(answer, RefusedForGood)
    assert (answer.code, answer.address) == ("21606", False)


async def test_wrong_token_is_a_refusal_for_now_of_the_whole_account(vendors: Emulated) -> None:
    channel = TwilioSms(TwilioSettings(TWILIO_SID, "wrong", vendors.twilio.url, loopback_only=True), SystemClock())
    try:
        [answer] = await sent(channel, text())
    finally:
        await channel.close()

    assert isinstance(answer, RefusedForNow)
    assert (answer.reason, answer.scope) == ("auth_failed", "account")
