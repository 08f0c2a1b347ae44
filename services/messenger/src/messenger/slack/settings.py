"""What an operator sets for Slack; without a token there is no such channel in this process."""

import re
from typing import Self

from pydantic import Field, SecretStr, model_validator

from duly_chassis.settings import ServiceSettings
from messenger.http.client import HttpUrlError
from messenger.slack.client import SLACK_URL, SlackSettings

CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
TOKEN = re.compile(r"[\x21-\x7e]{1,500}")


class SlackOptions(ServiceSettings):
    """Adds Slack to what every service has."""

    slack_token: SecretStr | None = None
    """The bot token of the app in the workspace, xoxb-…; it makes the channel slack, and is never logged."""

    slack_url: str = Field(default=SLACK_URL, max_length=300)
    """Where Slack's methods are; another address is for a stand-in, and takes no http but to this machine."""

    slack_opens: str = Field(default="07:00", pattern=CLOCK)
    """The recipient's local time from which a message in Slack may be sent, inclusive."""

    slack_closes: str = Field(default="21:00", pattern=CLOCK)
    """The recipient's local time from which it may not, exclusive."""

    slack_answer_timeout_s: float = Field(default=10, gt=0, le=60)
    """How long Slack may take to answer a message (machine clock); then it is in doubt."""

    slack_late_acceptance_s: float = Field(default=15, ge=0, le=600)
    """How long after that Slack may still take it: nobody asks before."""

    slack_readback_lag_s: float = Field(default=10, ge=0, le=600)
    """How long what Slack took may be missing from its history: added to the wait before a doubt is asked about."""

    @model_validator(mode="after")
    def _chats(self) -> Self:
        """Refuse a token that no header could hold, and an address that could not be used."""
        token = "" if self.slack_token is None else self.slack_token.get_secret_value()
        if self.slack_token is None:
            return self
        if not TOKEN.fullmatch(token):
            raise ValueError("slack_token: one word of ASCII, as xoxb-1-2-abc")
        try:
            SlackSettings(token, self.slack_url).http()
        except HttpUrlError as error:
            raise ValueError(f"slack_url: {error}") from None
        return self

    def slack(self, *, loopback_only: bool) -> SlackSettings | None:
        """Return how to reach Slack; None where it is not set up. Raises HttpUrlError for a place that is forbidden."""
        if self.slack_token is None:
            return None
        return SlackSettings(
            self.slack_token.get_secret_value(),
            self.slack_url,
            loopback_only=loopback_only,
            answer_timeout_s=self.slack_answer_timeout_s,
            late_acceptance_s=self.slack_late_acceptance_s,
            readback_lag_s=self.slack_readback_lag_s,
        )
