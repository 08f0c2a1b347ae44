"""`duly doctor` and the mail relay: each way in which a session fails, the sender, the way back; and nothing sent."""

from typing import Any

import pytest

from duly_chassis.doctor import Finding, State, ok
from messenger.settings import Settings
from messenger.smtp import doctor as smtp_doctor
from messenger.smtp.relay import SmtpSettings
from tests.unit.messenger.given_smtp import RELAY_PEM, STARTTLS_OFFERED, relay_tls
from tests.unit.messenger.scripted_smtp import Act, scripted_smtp

CANARY = "canary-4711"
SENDER = {"mail_sender": "training@acme.org"}
KEYS = "k" * 40
LOGIN = b"250-scripted\r\n250-AUTH PLAIN\r\n250 HELP\r\n"


async def asked(
    script: dict[str, Act | list[Act]], served: Any = None, **relay: Any
) -> tuple[list[Finding], list[str]]:
    """Examine a relay with this script; return the findings, and what it heard."""
    async with scripted_smtp(script, served) as smtp:
        limits = {"connect_timeout_s": 0.5, "timeout_s": 0.5}
        settings = SmtpSettings(**{"host": "127.0.0.1", "port": smtp.port, **limits, **relay})
        findings = await smtp_doctor.relayed(settings, SENDER)
        await smtp.all_hung_up()
        return findings, smtp.heard


async def test_sender_is_tried_at_mail_from_and_taken_back_so_that_nothing_is_sent() -> None:
    findings, heard = await asked({})

    assert findings == [ok("mail relay"), ok("mail sender")]
    assert heard[-3:] == ["MAIL FROM:<training@acme.org>", "RSET", "QUIT"]
    assert not [line for line in heard if line.startswith(("RCPT", "DATA"))]


@pytest.mark.parametrize(
    ("script", "relay", "wrong"),
    [
        ({"CONNECT": b"554 5.7.1 go away\r\n"}, {}, "it does not want to talk to this machine (554 5.7.1)"),
        ({"CONNECT": "cut"}, {}, "it hangs up"),
        ({"CONNECT": "silence"}, {}, "it does not answer"),
        ({}, {"tls": "starttls"}, "it offers no STARTTLS"),
        (
            {"EHLO": STARTTLS_OFFERED, "STARTTLS": b"454 4.7.0 no\r\n"},
            {"tls": "starttls"},
            "it refuses STARTTLS (454 4.7.0)",
        ),
        ({"EHLO": STARTTLS_OFFERED, "HANDSHAKE": b"no TLS\r\n"}, {"tls": "starttls"}, "TLS with it fails"),
        (
            {"EHLO": LOGIN, "AUTH": b"535 5.7.8 no\r\n"},
            {"username": "duly", "password": CANARY},
            "it refuses the login (535 5.7.8)",
        ),
    ],
)
async def test_relay_without_a_session_is_told_in_plain_words(
    script: dict[str, Act | list[Act]], relay: dict[str, Any], wrong: str
) -> None:
    (finding,), _ = await asked(script, **relay)

    assert (finding.name, finding.state, finding.wrong) == ("mail relay", State.PROBLEM, wrong)
    assert finding.remedy


async def test_relay_that_nobody_serves_is_told() -> None:
    (finding,) = await smtp_doctor.relayed(SmtpSettings("127.0.0.1", 1, connect_timeout_s=1), SENDER)

    assert finding.wrong == "nobody answers there"


@pytest.mark.parametrize(
    ("relay", "wrong"),
    [
        ({"host": "localhost"}, "its certificate is signed by nobody that this machine trusts"),
        ({"host": "127.0.0.1", "ca_file": str(RELAY_PEM)}, "its certificate is for another name"),
    ],
)
async def test_certificate_that_is_not_valid_is_told_with_what_is_wrong_about_it(
    relay: dict[str, Any], wrong: str
) -> None:
    (finding,), _ = await asked({"EHLO": STARTTLS_OFFERED}, relay_tls(), tls="starttls", **relay)

    assert (finding.state, finding.wrong) == (State.PROBLEM, wrong)


async def test_relay_with_a_trusted_certificate_is_fine() -> None:
    relay = {"tls": "starttls", "host": "localhost", "ca_file": str(RELAY_PEM)}
    findings, _ = await asked({"EHLO": STARTTLS_OFFERED}, relay_tls(), **relay)

    assert {one.state for one in findings} == {State.OK}


@pytest.mark.parametrize(
    ("reply", "state", "wrong"),
    [
        (b"553 5.7.1 not yours\r\n", State.PROBLEM, "the relay does not take mail from the sender (553 5.7.1)"),
        (b"451 4.7.1 later\r\n", State.WARNING, "the relay does not take mail from the sender (451 4.7.1) for now"),
        ("cut", State.PROBLEM, "the relay breaks off at MAIL FROM (connection_lost)"),
    ],
)
async def test_sender_that_is_not_taken_is_told(reply: Act, state: State, wrong: str) -> None:
    findings, _ = await asked({"MAIL": reply})

    assert (findings[-1].name, findings[-1].state, findings[-1].wrong) == ("mail sender", state, wrong)


async def test_international_sender_needs_a_relay_that_takes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SENDER, "mail_sender", "schulung@übung.org")
    findings, heard = await asked({})

    assert "SMTPUTF8" in findings[-1].wrong
    assert not [line for line in heard if line.startswith("MAIL")]


def settings(**values: Any) -> Settings:
    return Settings.sample(**{"mail_sender": "Training <training@acme.org>", **values})


def test_bounces_that_nobody_asked_for_are_not_set_up() -> None:
    (finding,) = smtp_doctor.bounces(settings(), "127.0.0.1")

    assert finding.state is State.NOT_SET_UP


@pytest.mark.parametrize(
    ("values", "relay", "wrong"),
    [
        ({"bounce_domain": "acme.org", "bounce_port": 2525}, "127.0.0.1", "also the sender's domain"),
        ({"bounce_domain": "b.acme.org"}, "127.0.0.1", "bounce_port is not set"),
        ({"bounce_domain": "b.acme.org", "bounce_port": 2525}, "mail.acme.org", "the relay is on another"),
    ],
)
def test_way_back_that_does_not_fit_is_a_warning(values: dict[str, Any], relay: str, wrong: str) -> None:
    (finding,) = smtp_doctor.bounces(settings(bounce_keys=KEYS, **values), relay)

    assert finding.state is State.WARNING
    assert wrong in finding.wrong


def test_way_back_that_fits_is_fine() -> None:
    set_up = settings(bounce_keys=KEYS, bounce_domain="b.acme.org", bounce_port=2525, bounce_host="10.0.0.5")

    assert smtp_doctor.bounces(set_up, "mail.acme.org") == [ok("bounces")]


def test_mails_from_an_example_are_a_problem_where_the_relay_is_real() -> None:
    shipped = Settings.sample()

    assert smtp_doctor.bounces(shipped, "mail.acme.org")[0].state is State.PROBLEM
    assert smtp_doctor.bounces(shipped, "127.0.0.1")[0].state is State.NOT_SET_UP


def test_return_address_is_what_is_tried_where_bounces_come_back() -> None:
    address = smtp_doctor.senders(settings(bounce_keys=KEYS, bounce_domain="b.acme.org"))

    assert list(address) == ["bounce_domain"]
    assert address["bounce_domain"].endswith("@b.acme.org")


async def test_whole_check_reads_the_relay_from_the_settings() -> None:
    async with scripted_smtp({}) as smtp:
        (check,) = smtp_doctor.checks(settings(smtp_url=f"smtp://127.0.0.1:{smtp.port}"))
        findings = await check.ask()

    assert [one.state for one in findings] == [State.OK, State.OK, State.NOT_SET_UP]


async def test_url_that_cannot_be_read_is_told_without_what_it_holds() -> None:
    (check,) = smtp_doctor.checks(settings(smtp_url=f"http://u:{CANARY}@h"))
    (finding,) = await check.ask()

    assert finding.state is State.PROBLEM
    assert CANARY not in finding.wrong
