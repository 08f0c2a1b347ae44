"""The SMTP URL: what it may say, and that no error repeats it."""

import pytest

from duly_chassis.loopback import is_loopback
from messenger.smtp.relay import SmtpSettings, SmtpUrlError, parse_smtp_url

GOOD = [
    ("smtp://mail.example", SmtpSettings("mail.example", 25)),
    ("smtp://127.0.0.1:2525/", SmtpSettings("127.0.0.1", 2525)),
    ("smtp://[::1]:2525", SmtpSettings("::1", 2525)),
    ("smtp://mail.example?tls=starttls", SmtpSettings("mail.example", 587, tls="starttls")),
    ("smtps://mail.example", SmtpSettings("mail.example", 465, tls="tls")),
    ("smtp://mail.example:465?tls=tls", SmtpSettings("mail.example", 465, tls="tls")),
    (
        "smtp://duly%40x:p%3Aw%40rd@mail.example:25?tls=starttls",
        SmtpSettings("mail.example", 25, username="duly@x", password="p:w@rd", tls="starttls"),  # noqa: S106
    ),
    (
        "smtp://duly:pw@127.0.0.1:25",
        SmtpSettings("127.0.0.1", 25, username="duly", password="pw"),  # noqa: S106
    ),
]


@pytest.mark.parametrize(("url", "settings"), GOOD)
def test_smtp_url_is_read(url: str, settings: SmtpSettings) -> None:
    assert settings == parse_smtp_url(url)


BAD = [
    "",
    "mail.example:25",
    "http://u:canary@mail.example",
    "smtp://u:canary@",
    "smtp://u:canary@mail.example:port?tls=tls",
    "smtp://u:canary@mail.example:99999?tls=tls",
    "smtp://u:canary@[::1?tls=tls",
    "smtp://u:canary@mail.example/path?tls=tls",
    "smtp://u:canary@mail.example?tls=canary",
    "smtp://u:canary@mail.example?tls=tls&tls=none",
    "smtp://u:canary@mail.example?verify=no",
    "smtps://u:canary@mail.example?tls=none",
    "smtp://canary@mail.example?tls=tls",
    "smtp://:canary@mail.example?tls=tls",
    "smtp://u:canary@mail.example",
]


@pytest.mark.parametrize("url", BAD)
def test_smtp_url_is_refused_in_plain_words_that_repeat_no_password(url: str) -> None:
    """A login without TLS is refused as well, but for this machine."""
    with pytest.raises(SmtpUrlError) as refused:
        parse_smtp_url(url)

    assert "canary" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    "changes", [{"connections": 0}, {"connections": 33}, {"timeout_s": 0}, {"connect_timeout_s": -1}, {"mails_max": 0}]
)
def test_settings_without_bounds_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(changes)).partition("_")[0] + "|timeouts"):
        SmtpSettings("localhost", 25, **changes)  # type: ignore[arg-type]


def test_only_this_machine_is_loopback() -> None:
    here = ["127.0.0.1", "127.9.9.9", "::1", "localhost", "::ffff:127.0.0.1"]
    elsewhere = ["192.0.2.1", "0.0.0.0", "::", "localhost.evil.example", "127.1", "::ffff:10.0.0.1"]  # noqa: S104

    assert here == [host for host in here + elsewhere if is_loopback(host)]
