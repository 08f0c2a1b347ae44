"""What is refused of Slack's settings, and that the token is said nowhere."""

from typing import Any

import pytest
from pydantic import ValidationError

from messenger.settings import Settings
from messenger.slack.client import SlackSettings
from tests.unit.messenger.test_bounce_effects import BASE

TOKEN = "xoxb-canary-1"  # noqa: S105 - nobody's


def read(**said: Any) -> Settings:
    return Settings(**BASE, **said)


def test_slack_is_not_set_up_without_a_token() -> None:
    assert read().slack(loopback_only=False) is None


def test_token_makes_the_channel_and_is_shown_nowhere() -> None:
    settings = read(slack_token=TOKEN)

    assert settings.slack(loopback_only=False) == SlackSettings(TOKEN)
    assert "canary" not in repr(settings) + repr(settings.slack(loopback_only=False))


@pytest.mark.parametrize(
    "said",
    [
        {"slack_token": "xoxb canary"},
        {"slack_token": "xoxb-canary\r\nX: y"},
        {"slack_token": TOKEN, "slack_url": "http://slack.example/api/"},
        {"slack_token": TOKEN, "slack_url": "https://user:canary@slack.example/"},
        {"slack_token": TOKEN, "slack_url": "slack.example"},
        {"slack_opens": "7"},
    ],
)
def test_setting_that_cannot_be_used_is_refused_and_not_repeated(said: dict[str, str]) -> None:
    with pytest.raises((ValidationError, ValueError, Exception)) as refused:
        read(**said)

    assert "slack_" in str(refused.value).lower()
    assert "canary" not in str(refused.value)
