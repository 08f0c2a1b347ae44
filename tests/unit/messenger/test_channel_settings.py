"""The settings of Slack and SMS: what is set by half, or could not be used, is refused when they are read."""

from typing import Any

import pytest
from pydantic import ValidationError

from duly_chassis.plain import setting_faults
from messenger.settings import Settings

CANARY = "canary-4711"
TWILIO = {"twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": CANARY, "sms_from": "+15005550006"}


def refused(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings.sample(**values)
    return "\n".join(setting_faults(caught.value))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["twilio_account_sid"], "twilio_auth_token"),
        (["twilio_auth_token"], "twilio_account_sid"),
        (["twilio_account_sid", "twilio_auth_token"], "sms_from"),
    ],
)
def test_twilio_that_is_set_by_half_is_refused_with_what_is_missing(given: list[str], named: str) -> None:
    said = refused(**{name: TWILIO[name] for name in given})

    assert named in said
    assert CANARY not in said


def test_twilio_that_is_set_whole_or_not_at_all_is_taken() -> None:
    assert Settings.sample(**TWILIO).text_sender == "+15005550006"
    assert Settings.sample().twilio(loopback_only=False) is None


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"slack_token": f"{CANARY}\n"}, "slack_token"),
        ({"slack_token": CANARY, "slack_url": "http://slack.example/api/"}, "slack_url"),
        ({**TWILIO, "twilio_account_sid": f"SK{CANARY}"}, "twilio_account_sid"),
        ({**TWILIO, "public_url": "http://hooks.example"}, "public_url"),
        ({**TWILIO, "public_url": "https://my_hooks.example"}, "public_url"),
        ({**TWILIO, "public_url": f"https://hooks.example?key={CANARY}"}, "public_url"),
    ],
)
def test_setting_that_could_not_be_used_is_refused_by_its_name_and_without_its_value(
    wrong: dict[str, str], named: str
) -> None:
    said = refused(**wrong)

    assert f"{named}: " in said
    assert CANARY not in said
