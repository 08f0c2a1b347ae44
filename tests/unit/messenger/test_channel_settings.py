"""The settings of Slack and SMS: what is set by half, or could not be used, is refused when they are read."""

from typing import Any

import pytest
from pydantic import ValidationError

from duly_chassis.clock import SystemClock
from duly_chassis.plain import setting_faults
from messenger.channel import Bounds
from messenger.settings import Settings
from messenger.slack.channel import SlackChannel
from messenger.twilio.channel import TwilioSms

CANARY = "canary-4711"
TWILIO = {"twilio_account_sid": "AC" + "0" * 32, "twilio_auth_token": CANARY, "sms_from": "+15005550006"}
SLACK = {"slack_token": CANARY}


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


def test_bounds_of_slack_and_twilio_are_as_set_and_as_shipped_45_and_90_seconds() -> None:
    """RELIABILITY 6: a doubt is asked about no earlier than the declared bounds allow."""
    shipped = Settings.sample(**TWILIO, **SLACK)
    late = {"answer_timeout_s": 2, "late_acceptance_s": 3, "readback_lag_s": 4}
    more = {f"{channel}_{name}": value for channel in ("slack", "sms") for name, value in late.items()}
    given = Settings.sample(**TWILIO, **SLACK, **more)

    assert bounds(shipped) == [Bounds(20, 15, 10), Bounds(30, 30, 30)]
    assert bounds(given) == [Bounds(12, 3, 4), Bounds(17, 3, 4)]


def bounds(settings: Settings) -> list[Bounds]:
    """Return what Slack and Twilio declare under these settings."""
    slack, twilio = settings.slack(loopback_only=False), settings.twilio(loopback_only=False)
    assert slack is not None
    assert twilio is not None
    return [SlackChannel(slack).bounds, TwilioSms(twilio, SystemClock()).bounds]
