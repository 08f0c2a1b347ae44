"""SMTP: TLS and the login, before there is a letter."""

import pytest

from messenger.channel import (
    Accepted,
    Answer,
    RefusedForNow,
)
from messenger.smtp.channel import SmtpChannel
from tests.unit.messenger.gates import open_gate
from tests.unit.messenger.given_smtp import (
    RELAY_PEM,
    STARTTLS_OFFERED,
    a_letter,
    deliver,
    relay_tls,
    settings_for,
)
from tests.unit.messenger.scripted_smtp import Act, scripted_smtp


async def test_letter_is_refused_for_now_when_starttls_is_demanded_and_not_offered() -> None:
    answer, smtp = await deliver({}, tls="starttls", username="duly", password="secret")  # noqa: S106

    assert answer == RefusedForNow("starttls_not_offered")
    assert smtp.heard == ["EHLO localhost"]


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ({"STARTTLS": b"454 4.7.0 not now\r\n"}, RefusedForNow("starttls_refused", "454 4.7.0")),
        ({"STARTTLS": b"502 no\r\n"}, RefusedForNow("starttls_refused", "502")),
        ({"STARTTLS": "cut"}, RefusedForNow("connection_lost")),
        ({"HANDSHAKE": b"this is no TLS\r\n"}, RefusedForNow("tls_failed")),
    ],
)
async def test_letter_is_refused_for_now_when_starttls_fails(
    script: dict[str, Act | list[Act]], answer: Answer
) -> None:
    answer_given, smtp = await deliver({"EHLO": STARTTLS_OFFERED} | script, tls="starttls", connect_timeout_s=0.5)

    assert answer == answer_given
    assert "MAIL" not in smtp.events


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_letter_goes_over_tls_when_the_certificate_is_trusted(tls: str) -> None:
    script: dict[str, Act | list[Act]] = {"EHLO": [STARTTLS_OFFERED]}
    async with scripted_smtp(script, relay_tls(), tls_at_once=tls == "tls") as smtp:
        channel = SmtpChannel(settings_for(smtp, host="localhost", tls=tls, ca_file=str(RELAY_PEM)))
        answers = await channel.deliver([a_letter()], open_gate)
        await channel.close()

    assert isinstance(answers[0], Accepted)
    assert len(smtp.bodies) == 1


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_letter_is_refused_for_now_when_the_certificate_is_not_trusted(tls: str) -> None:
    script: dict[str, Act | list[Act]] = {"EHLO": [STARTTLS_OFFERED]}
    async with scripted_smtp(script, relay_tls(), tls_at_once=tls == "tls") as smtp:
        channel = SmtpChannel(settings_for(smtp, host="localhost", tls=tls))
        answers = await channel.deliver([a_letter()], open_gate)
        await channel.close()

    assert answers == [RefusedForNow("tls_failed")]


AUTH_OFFERED = b"250-scripted\r\n250 AUTH PLAIN\r\n"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ({"EHLO": AUTH_OFFERED, "AUTH": b"535 5.7.8 wrong\r\n"}, "535 5.7.8"),
        ({"EHLO": AUTH_OFFERED, "AUTH": b"454 4.7.0 later\r\n"}, "454 4.7.0"),
        ({}, ""),
    ],
)
async def test_letter_is_refused_for_now_when_the_login_fails(script: dict[str, Act | list[Act]], code: str) -> None:
    answer, _ = await deliver(script, username="duly", password="secret")  # noqa: S106

    assert answer == RefusedForNow("auth_failed", code)


async def test_login_comes_before_the_letter_when_it_is_set() -> None:
    script: dict[str, Act | list[Act]] = {"EHLO": AUTH_OFFERED, "AUTH": b"235 2.7.0 welcome\r\n"}
    answer, smtp = await deliver(script, username="duly", password="secret")  # noqa: S106

    assert isinstance(answer, Accepted)
    assert smtp.events[:3] == ["EHLO", "AUTH", "MAIL"]
