"""`duly doctor` and the fakes of Slack and Twilio: tokens, scopes, senders, clocks, and answers of somebody else."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from duly_chassis.doctor import Finding, State, found
from duly_local import slack_fake, twilio_fake
from duly_local.slack_state import SCOPES, Workspace
from duly_local.twilio_methods import TwilioFake
from messenger.http.client import ANSWER_BYTES_MAX
from messenger.settings import Settings
from messenger.slack import doctor as slack_doctor
from messenger.twilio import doctor as twilio_doctor
from tests.unit.messenger.scripted_http import said, scripted_http

CANARY = "canary-4711"
NUMBER, SERVICE = "+15005550006", "MG" + "1" * 32
OF_SERVICE = {"sms_from": None, "twilio_messaging_service_sid": SERVICE}
PUBLIC = "https://hooks.acme.example"
TWILIO = {"twilio_account_sid": twilio_fake.ACCOUNT, "twilio_auth_token": twilio_fake.TOKEN, "sms_from": NUMBER}


def by_name(findings: Sequence[Finding]) -> dict[str, Finding]:
    return {one.name: one for one in findings}


async def slack(url: str, token: str = CANARY) -> dict[str, Finding]:
    (check,) = slack_doctor.checks(Settings.sample(slack_token=token, slack_url=url))
    return by_name(await found(check))


async def workspace(folder: Path, **values: Any) -> dict[str, Finding]:
    """Ask a fake Slack that is so."""
    async with slack_fake.serving(Workspace(folder, **values)) as (fake, url):
        findings = await slack(url)
        assert fake.asked == ["auth.test"]
    return findings


async def test_slack_without_a_token_is_not_set_up_and_not_asked() -> None:
    (check,) = slack_doctor.checks(Settings.sample())
    (finding,) = await found(check)

    assert finding.state is State.NOT_SET_UP
    assert "DULY_SLACK_TOKEN" in finding.wrong


async def test_slack_with_token_and_scopes_is_fine_and_says_what_history_wants(tmp_path: Path) -> None:
    findings = await workspace(tmp_path, token=CANARY)

    assert {name: one.state for name, one in findings.items()} == dict.fromkeys(
        ("Slack", "Slack scopes", "Slack history", "Slack clock"), State.OK
    )
    assert "internal" in findings["Slack history"].remedy


async def test_slack_token_that_is_refused_is_told_with_slacks_word(tmp_path: Path) -> None:
    findings = await workspace(tmp_path, token="another")  # noqa: S106 - of a fake

    assert findings["Slack"].wrong == "Slack refuses the token (invalid_auth)"
    assert "Slack scopes" not in findings


@pytest.mark.parametrize("scope", sorted(SCOPES))
async def test_slack_scope_that_is_missing_is_named_with_its_purpose(tmp_path: Path, scope: str) -> None:
    findings = await workspace(tmp_path, token=CANARY, scopes=SCOPES - {scope})

    assert findings["Slack scopes"].state is State.PROBLEM
    assert findings["Slack scopes"].wrong.startswith(f"the token lacks {scope} (to ")


@pytest.mark.parametrize(
    ("ahead_s", "state", "way"),
    [
        (1, State.OK, ""),
        (-10, State.WARNING, "ahead of"),
        (10, State.WARNING, "behind"),
        (600, State.PROBLEM, "behind"),
    ],
)
async def test_slack_clock_is_compared_by_the_date_of_its_answer(
    tmp_path: Path, ahead_s: float, state: State, way: str
) -> None:
    findings = await workspace(tmp_path, token=CANARY, ahead_s=ahead_s)

    assert findings["Slack clock"].state is state
    assert way in findings["Slack clock"].wrong


@pytest.mark.parametrize(
    ("answer", "state", "wrong"),
    [
        (said(b"<html>portal</html>"), State.PROBLEM, "what answers is not Slack (HTTP 200)"),
        (said(b"{}", "502 Bad Gateway"), State.PROBLEM, "what answers is not Slack (HTTP 502)"),
        (said(b'{"ok":false,"error":"ratelimited"}', "429 Too Many"), State.WARNING, "Slack asks us to wait"),
        (said(b'{"ok":true,"user_id":"U1"}'), State.PROBLEM, "the token is a person's"),
        (said(b'{"ok":true,"bot_id":"B1"}'), State.OK, ""),
        (said(b'{"ok":false,"error":"canary-4711 <b>"}'), State.PROBLEM, "Slack answers 200"),
        (said(b"", "302 Found", "Location: https://elsewhere.example"), State.PROBLEM, "it sends us elsewhere"),
        (said(b"x" * (ANSWER_BYTES_MAX + 1)), State.PROBLEM, "is not the provider"),
        ("cut", State.PROBLEM, "the connection breaks off"),
    ],
    ids=count(1),
)
async def test_slack_answer_is_read_for_what_it_is(answer: Any, state: State, wrong: str) -> None:
    async with scripted_http(lambda _: answer) as server:
        findings = await slack(server.url)

    assert findings["Slack"].state is state
    assert wrong in findings["Slack"].wrong
    assert CANARY not in repr(findings)


async def test_slack_that_does_not_say_its_scopes_is_a_warning() -> None:
    async with scripted_http(said(b'{"ok":true,"bot_id":"B1"}')) as server:
        findings = await slack(server.url)

    assert findings["Slack scopes"].state is State.WARNING


async def test_provider_that_nobody_serves_is_told() -> None:
    findings = await slack("http://127.0.0.1:1/api/")

    assert findings["Slack"].wrong == "nobody answers there"


async def twilio(url: str, **values: Any) -> dict[str, Finding]:
    settings = Settings.sample(**{**TWILIO, "public_url": PUBLIC, "twilio_url": url, **values})
    (check,) = twilio_doctor.checks(settings)
    return by_name(await found(check))


async def account(folder: Path, is_so: dict[str, Any], **values: Any) -> dict[str, Finding]:
    """Ask a fake Twilio whose account is so."""
    async with twilio_fake.serving(folder) as (fake, url):
        fake.account.webhook = f"{PUBLIC}{twilio_doctor.INBOUND}"
        for name, value in is_so.items():
            setattr(fake.account, name, value)
        findings = await twilio(url, **values)
        assert nothing_was_sent(fake)
    return findings


def nothing_was_sent(fake: TwilioFake) -> bool:
    return not fake.texts.by_sid


async def test_twilio_without_an_account_is_not_set_up_and_not_asked() -> None:
    (check,) = twilio_doctor.checks(Settings.sample())
    (finding,) = await found(check)

    assert finding.state is State.NOT_SET_UP


@pytest.mark.parametrize("sender", [NUMBER, SERVICE], ids=["number", "messaging service"])
async def test_twilio_with_account_sender_and_callbacks_is_fine(tmp_path: Path, sender: str) -> None:
    findings = await account(tmp_path, {}, **(OF_SERVICE if sender == SERVICE else {}))

    assert {name: one.state for name, one in findings.items()} == dict.fromkeys(
        ("Twilio", "Twilio clock", "SMS sender", "SMS answers", "Twilio callbacks"), State.OK
    )


async def test_twilio_token_that_is_refused_is_told(tmp_path: Path) -> None:
    findings = await account(tmp_path, {}, twilio_auth_token=CANARY)

    assert findings["Twilio"].wrong == "Twilio refuses account and token (HTTP 401)"
    assert "SMS sender" not in findings


@pytest.mark.parametrize(
    ("is_so", "values", "name", "state", "wrong"),
    [
        ({"status": "suspended"}, {}, "Twilio", State.PROBLEM, "the account is suspended"),
        ({"status": "<b>"}, {}, "Twilio", State.PROBLEM, "the account is not known to be active"),
        ({"type": "Trial"}, {}, "Twilio", State.WARNING, "trial account"),
        ({"foreign": {NUMBER}}, {}, "SMS sender", State.PROBLEM, "this account has no such number"),
        ({"voice_only": {NUMBER}}, {}, "SMS sender", State.PROBLEM, "the number cannot send texts"),
        ({"foreign": {SERVICE}}, OF_SERVICE, "SMS sender", State.PROBLEM, "no such messaging service"),
        ({"empty": {SERVICE}}, OF_SERVICE, "SMS sender", State.PROBLEM, "has no sender for texts"),
        ({"foreign": {"12345"}}, {"sms_from": "12345"}, "SMS sender", State.PROBLEM, "no such short code"),
        ({}, {"sms_from": "Duly"}, "SMS sender", State.WARNING, "nobody can answer it"),
        ({"webhook": ""}, {}, "SMS answers", State.WARNING, "STOP, does not come to Duly"),
        ({}, {"public_url": None}, "Twilio callbacks", State.WARNING, "nobody learns that a text was not delivered"),
        ({}, {"public_url": "http://127.0.0.1:8104"}, "Twilio callbacks", State.PROBLEM, "cannot reach public_url"),
        ({"ahead_s": 10}, {}, "Twilio clock", State.WARNING, "behind the provider's"),
        ({"ahead_s": -600}, {}, "Twilio clock", State.PROBLEM, "ahead of the provider's"),
    ],
)
async def test_twilio_fault_is_told_in_plain_words(
    tmp_path: Path, is_so: dict[str, Any], values: dict[str, Any], name: str, state: State, wrong: str
) -> None:
    findings = await account(tmp_path, is_so, **values)

    assert findings[name].state is state
    assert wrong in findings[name].wrong
    assert findings[name].remedy
    assert not {NUMBER, SERVICE, twilio_fake.ACCOUNT, twilio_fake.TOKEN} & set(repr(findings).split())


@pytest.mark.parametrize(
    ("answer", "state", "wrong"),
    [
        (said(b"<html>portal</html>"), State.PROBLEM, "what answers is not Twilio (HTTP 200)"),
        (said(b"[]"), State.PROBLEM, "what answers is not Twilio (HTTP 200)"),
        (said(b'{"code":20404}', "404 Not Found"), State.PROBLEM, "Twilio knows no such account"),
        (said(b'{"code":20429}', "429 Too Many"), State.WARNING, "Twilio asks us to wait"),
        (said(b'{"code":20500}', "500 Broken"), State.PROBLEM, "Twilio answers HTTP 500"),
        (said(b'{"status":["active"]}'), State.PROBLEM, "the account is not known to be active"),
        ("cut", State.PROBLEM, "the connection breaks off"),
    ],
    ids=count(1),
)
async def test_twilio_answer_is_read_for_what_it_is(answer: Any, state: State, wrong: str) -> None:
    async with scripted_http(lambda _: answer) as server:
        findings = await twilio(server.url)

    assert findings["Twilio"].state is state
    assert wrong in findings["Twilio"].wrong


@pytest.mark.parametrize(
    ("url", "messaging"),
    [
        ("https://api.twilio.com", "https://messaging.twilio.com"),
        ("https://api.dublin.ie1.twilio.com", "https://messaging.dublin.ie1.twilio.com"),
        ("http://127.0.0.1:4101/", "http://127.0.0.1:4101/messaging"),
        ("https://api.twilio.com.acme.example", "https://api.twilio.com.acme.example/messaging"),
    ],
)
def test_messaging_services_are_asked_at_their_own_host(url: str, messaging: str) -> None:
    assert twilio_doctor.messaging_url(url) == messaging


@pytest.mark.parametrize("provider", ["Slack", "Twilio"])
async def test_provider_elsewhere_is_not_asked_where_loopback_only_is_set(provider: str) -> None:
    given = {"slack_token": CANARY} if provider == "Slack" else TWILIO
    settings = Settings.sample(loopback_only=True, **given)
    checks = slack_doctor.checks if provider == "Slack" else twilio_doctor.checks
    finding = by_name(await found(checks(settings)[0]))[provider]

    assert finding.state is State.PROBLEM
    assert finding.wrong.startswith("only this machine may be asked")
