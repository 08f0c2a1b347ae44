"""The settings of Slack and SMS: what is set by half, or could not be used, is refused when they are read."""

from typing import Any

import pytest
from pydantic import ValidationError

from duly_chassis.plain import setting_faults
from messenger.settings import Settings

CANARY = "canary-4711"
TWILIO = {"twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": CANARY, "sms_sender": "+15005550006"}


def refused(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings.sample(**values)
    return "\n".join(setting_faults(caught.value))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["twilio_account_sid"], "twilio_account_sid is set: twilio_auth_token and sms_sender must be set too"),
        (["twilio_auth_token"], "twilio_auth_token is set: twilio_account_sid and sms_sender must be set too"),
        (["sms_sender"], "sms_sender is set: twilio_account_sid and twilio_auth_token must be set too"),
        (["twilio_account_sid", "twilio_auth_token"], "twilio_account_sid is set: sms_sender must be set too"),
    ],
)
def test_twilio_that_is_set_by_half_is_refused_with_what_is_missing(given: list[str], said: str) -> None:
    assert refused(**{name: TWILIO[name] for name in given}) == said


def test_twilio_that_is_set_whole_or_not_at_all_is_taken() -> None:
    assert Settings.sample(**TWILIO).sms_sender == "+15005550006"
    assert Settings.sample().twilio_account_sid is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"slack_token": f"{CANARY}\n"},
        {"slack_token": f"{CANARY} é"},
        {"slack_url": "http://slack.example/api/"},
        {"slack_url": f"https://u:{CANARY}@slack.example"},
        {"twilio_url": "ftp://twilio.example"},
        {"twilio_account_sid": "SK" + "0" * 32},
        {"sms_sender": "0171 2345678"},
        {"sms_sender": "Duly"},
        {"sms_opens": "25:00"},
        {"public_url": "http://hooks.example"},
        {"public_url": "https://my_hooks.example"},
        {"public_url": f"https://hooks.example?key={CANARY}"},
    ],
)
def test_setting_that_could_not_be_used_is_refused_without_its_value(wrong: dict[str, str]) -> None:
    (name,) = wrong
    given = TWILIO | wrong if name.startswith(("twilio", "sms")) else wrong

    assert f"DULY_{name.upper()}: " in refused(**given)
    assert CANARY not in refused(**given)


def test_public_url_is_kept_without_its_last_slash() -> None:
    assert Settings.sample(public_url="https://hooks.example/").public_url == "https://hooks.example"
