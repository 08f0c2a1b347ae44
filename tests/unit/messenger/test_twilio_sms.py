"""Texts over Twilio at the wire: what is posted, and what each answer and each silence means."""

from base64 import b64encode
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from duly_chassis.clock import DrivenClock
from duly_local.twilio_fake import ACCOUNT, TOKEN
from messenger.channel import Accepted, Answer, InDoubt, RefusedForGood, RefusedForNow
from messenger.http.client import ANSWER_BYTES_MAX, HttpUrlError
from messenger.twilio.channel import VALID_S_MAX, TwilioSms
from messenger.twilio.client import TWILIO_URL, TwilioSettings
from tests.unit.messenger.gates import open_gate
from tests.unit.messenger.given_texts import ANN, NOW, SENDER, a_text, as_json, channel_to, scripted_and_channel
from tests.unit.messenger.scripted_http import Act, said, scripted_http

SID = "SM" + "1" * 32
SERVICE = "MG" + "2" * 32
OUTREACH_ID = UUID("0192f0c1-7a3b-7cde-8f01-23456789abcd")


def created(**changes: object) -> bytes:
    """Answer as Twilio does to a text that it took."""
    return said(as_json({"sid": SID, "to": ANN, "status": "queued", "error_code": None} | changes), "201 Created")


def fault(code: object, status: HTTPStatus = HTTPStatus.BAD_REQUEST, *headers: str) -> bytes:
    """Answer as Twilio does to a text that it did not take."""
    body = {"code": code, "message": f"about {ANN}", "more_info": "https://www.twilio.com", "status": status}
    return said(as_json(body), f"{status.value} {status.phrase}", *headers)


def problem(code: object, status: HTTPStatus, told: object = None) -> bytes:
    """Answer in the form of RFC 9457; its own idea of the status may be another."""
    body = {"type": "https://x.example", "title": f"about {ANN}", "status": told or status, "code": code}
    return said(as_json(body), f"{status.value} {status.phrase}")


async def answered(act: Act, **changes: Any) -> Answer:
    """Send one text to a server that answers this, and look that it was asked once."""
    async with scripted_and_channel(lambda _: act) as (http, channel):
        (answer,) = await channel.deliver([replace(a_text(), **changes)], open_gate)

    assert len(http.requests) == 1
    assert ANN[1:] not in repr(answer)
    return answer


def form_of(request: bytes) -> dict[str, str]:
    return {name: value for name, (value,) in parse_qs(request.partition(b"\r\n\r\n")[2].decode()).items()}


async def posted(
    public_url: str | None = "https://duly.example/in/", path: str = "", **changes: Any
) -> tuple[bytes, bytes]:
    """Return head and form of the one request that a text becomes."""
    letter = a_text(outreach_id=OUTREACH_ID, **changes)
    async with scripted_http(created()) as http, channel_to(http.url + path, public_url) as channel:
        await channel.deliver([letter], open_gate)
    (request,) = http.requests
    return request.partition(b"\r\n\r\n")[0], request


async def test_text_is_posted_with_sender_words_and_an_address_that_names_it() -> None:
    head, request = await posted()
    login = b64encode(f"{ACCOUNT}:{TOKEN}".encode())

    assert head.startswith(f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1\r\n".encode())
    assert b"Authorization: Basic " + login in head
    assert form_of(request) == {
        "To": ANN,
        "From": SENDER,
        "Body": "Duly: your training is due tomorrow. https://lms.example/7 Reply STOP to opt out RSJV3WEU",
        "StatusCallback": f"https://duly.example/in/v1/twilio/status/acme/{OUTREACH_ID}",
    }


async def test_messaging_service_takes_the_senders_place() -> None:
    form = form_of((await posted(sender=SERVICE))[1])

    assert "From" not in form
    assert form["MessagingServiceSid"] == SERVICE


async def test_without_a_public_address_nobody_is_to_be_told() -> None:
    assert "StatusCallback" not in form_of((await posted(public_url=None))[1])


@pytest.mark.parametrize(
    ("useful_s", "said_s"), [(600, "600"), (VALID_S_MAX + 1, str(VALID_S_MAX)), (0, "1"), (-5, "1")]
)
async def test_text_is_valid_as_long_as_it_is_useful(useful_s: int, said_s: str) -> None:
    assert form_of((await posted(valid_for_s=useful_s))[1])["ValidityPeriod"] == said_s


async def test_path_of_the_set_address_stands_before_twilios_own() -> None:
    assert (await posted(path="stand-in/"))[0].startswith(b"POST /stand-in/2010-04-01/Accounts/")


async def test_text_that_was_taken_is_accepted_with_its_sid() -> None:
    assert await answered(created()) == Accepted(SID)
    assert await answered(created(status="accepted")) == Accepted(SID)
    assert await answered(created(to=None)) == Accepted(SID)


TOO_MANY, AUTH = HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (fault(20429, TOO_MANY), RefusedForNow("rate_limited", "20429", None, "account")),
        (fault(20429, TOO_MANY, "Retry-After: 12"), RefusedForNow("rate_limited", "20429", 12.0, "account")),
        (fault(20429, TOO_MANY, "Retry-After: 2.5"), RefusedForNow("rate_limited", "20429", 2.5, "account")),
        (fault(20429, TOO_MANY, "Retry-After: -3"), RefusedForNow("rate_limited", "20429", 0.0, "account")),
        (fault(20429, TOO_MANY, "Retry-After: 86400"), RefusedForNow("rate_limited", "20429", 86_400.0, "account")),
        (fault(20429, TOO_MANY, "Retry-After: 999999"), RefusedForNow("rate_limited", "20429", 86_400.0, "account")),
        (
            fault(20429, TOO_MANY, "Date: Sun, 22 Nov 2026 08:00:00 GMT", "Retry-After: Sun, 22 Nov 2026 08:00:30 GMT"),
            RefusedForNow("rate_limited", "20429", 30.0, "account"),
        ),
        (said(b"<html>slow down", "429 Too Many Requests"), RefusedForNow("rate_limited", "429", None, "account")),
        (problem(20429, TOO_MANY, 200), RefusedForNow("rate_limited", "20429", None, "account")),
        (fault(20003, AUTH), RefusedForNow("auth_failed", "20003", None, "account")),
        (fault(20003, HTTPStatus.FORBIDDEN), RefusedForNow("auth_failed", "20003", None, "account")),
        (said(b"", "401 Unauthorized"), RefusedForNow("auth_failed", "401", None, "account")),
        (fault(21211), RefusedForGood("number_invalid", "21211", address=True)),
        (fault(21614), RefusedForGood("number_not_mobile", "21614", address=True)),
        (fault(21610), RefusedForGood("opted_out", "21610", address=True)),
        (fault(21408), RefusedForGood("region_not_enabled", "21408", address=True)),
        (fault(21606), RefusedForGood("sender_refused", "21606")),
        (problem(21610, HTTPStatus.BAD_REQUEST), RefusedForGood("opted_out", "21610", address=True)),
        (created(status="failed", error_code=30006), RefusedForGood("text_failed", "30006", address=True)),
        (created(status="failed", error_code=30007), RefusedForGood("text_failed", "30007")),
    ],
)
async def test_answer_that_is_certain_means(answer: bytes, meaning: Answer) -> None:
    """RELIABILITY 6.5, S-69, I10: what is refused for now concerns the whole account."""
    assert await answered(answer) == meaning


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (fault(20500, HTTPStatus.INTERNAL_SERVER_ERROR), "unexpected_reply"),
        (fault(21211, HTTPStatus.INTERNAL_SERVER_ERROR), "unexpected_reply"),
        (fault(20429, HTTPStatus.SERVICE_UNAVAILABLE), "unexpected_reply"),
        (fault(99999), "unexpected_reply"),
        (fault("21211"), "unexpected_reply"),
        (fault([21211]), "unexpected_reply"),
        (fault(None), "unexpected_reply"),
        (problem(99999, HTTPStatus.BAD_REQUEST), "unexpected_reply"),
        (problem(20500, HTTPStatus.BAD_GATEWAY), "unexpected_reply"),
        (problem(21610, HTTPStatus.BAD_GATEWAY, 400), "unexpected_reply"),
        (said(b"<html>Bad Gateway", "502 Bad Gateway"), "unexpected_reply"),
        (said(b"<html>Fine", "200 OK"), "unexpected_reply"),
        (said(b"\xff\xfe{", "201 Created"), "unexpected_reply"),
        (said(b"[]", "201 Created"), "unexpected_reply"),
        (said(b"null", "201 Created"), "unexpected_reply"),
        (said(b"", "201 Created"), "sid_missing"),
        (said(b"", "204 No Content"), "sid_missing"),
        (said(b"{}", "200 OK"), "sid_missing"),
        (created(sid=None), "sid_missing"),
        (created(sid=7), "sid_missing"),
        (created(sid="SM\r\n" + ANN), "sid_missing"),
        (created(sid="S" * 65), "sid_missing"),
        (created(to="+447400000002"), "answer_of_another"),
        (said(b"", "302 Found", "Location: https://elsewhere.example/"), "redirected"),
        (said(b" " * (ANSWER_BYTES_MAX + 1), "201 Created"), "answer_too_long"),
        ("cut", "connection_lost"),
        (b"no HTTP at all\r\n\r\n", "unexpected_reply"),
    ],
)
async def test_answer_that_is_not_certain_leaves_in_doubt(act: Act, reason: str) -> None:
    """I2, RELIABILITY 6.5: HTML, another id, a redirect, nothing, all else without a SID; asked once, never again."""
    answer = await answered(act)

    assert isinstance(answer, InDoubt)
    assert answer.reason == reason
    assert answer.code == "" or answer.code.isdecimal()


async def test_silence_leaves_in_doubt() -> None:
    async with scripted_http("silence") as http:
        settings = TwilioSettings(ACCOUNT, TOKEN, http.url, loopback_only=True, answer_timeout_s=0.2)
        channel = TwilioSms(settings, DrivenClock(NOW))
        answers = await channel.deliver([a_text()], open_gate)
        await channel.close()

    assert answers == [InDoubt("timeout")]
    assert len(http.requests) == 1


async def test_nobody_at_the_address_is_refused_for_now() -> None:
    async with channel_to("http://127.0.0.1:9/") as channel:
        assert await channel.deliver([a_text()], open_gate) == [RefusedForNow("connect_failed")]


@pytest.mark.parametrize("text", ["", "x" * 1_601])
async def test_text_that_twilio_could_not_take_is_not_posted(text: str) -> None:
    letter = a_text()
    assert letter.note is not None
    async with scripted_and_channel(lambda _: created()) as (http, channel):
        answers = await channel.deliver([replace(letter, note=replace(letter.note, text=text))], open_gate)

    assert answers == [RefusedForGood("text_unfit")]
    assert http.requests == []


def test_environment_of_the_process_says_neither_where_nor_as_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_EDGE", "TWILIO_REGION"):
        monkeypatch.setenv(name, "stranger")
    client = TwilioSms(TwilioSettings(ACCOUNT, TOKEN), DrivenClock(NOW))._client

    assert (client.username, client.password) == (ACCOUNT, TOKEN)
    assert client.get_hostname(f"{TWILIO_URL}/x") == f"{TWILIO_URL}/x"


@pytest.mark.parametrize("url", ["http://twilio.example", "ftp://127.0.0.1", "https://", "https://u:p@127.0.0.1"])
def test_address_that_would_show_the_token_is_refused(url: str) -> None:
    with pytest.raises(HttpUrlError):
        TwilioSettings(ACCOUNT, TOKEN, url)


def test_replay_refuses_the_real_twilio() -> None:
    with pytest.raises(HttpUrlError, match="only this machine"):
        TwilioSettings(ACCOUNT, TOKEN, loopback_only=True)


def test_token_is_in_no_repr() -> None:
    settings = TwilioSettings(ACCOUNT, "a-secret-token")

    assert "a-secret" not in repr(settings) + repr(TwilioSms(settings, DrivenClock(NOW)))
