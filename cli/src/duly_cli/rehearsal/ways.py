"""The way a rehearsal's messages take: mail, Slack or SMS, always to this machine and with logins of no worth."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from duly_local.stack import Endpoints

SLACK_TOKEN = "xoxb-rehearsal"  # noqa: S105 - nobody's: a real one would be shown to whatever listens on this machine
TWILIO_ACCOUNT, TWILIO_TOKEN = f"AC{0:032}", "rehearsal"
TWILIO_NUMBER = "+15005550006"  # Twilio's own number for tests
LATE_S, LATE_S_MAX = 1.0, 120.0
NOWHERE = "smtp://127.0.0.1:9"  # the discard port: the setting must be there, and no mail is asked for


class By(StrEnum):
    """The channels a replay can take."""

    MAIL = "mail"
    SLACK = "slack"
    SMS = "sms"


@dataclass(frozen=True, slots=True)
class Way:
    """One channel, and the server of its provider; without one mails go to a local inbox."""

    by: By = By.MAIL
    url: str | None = None
    late_s: float = LATE_S
    """How late the provider may take a message after its answer was lost, by this machine's clock."""

    @property
    def inbox(self) -> bool:
        """Whether the rehearsal needs an inbox of its own."""
        return self.by is By.MAIL and self.url is None

    @property
    def name(self) -> str:
        """What a state remembers of it: the channel, for its server may move."""
        return self.by.value

    def settings(self, state: Path, endpoints: Endpoints) -> dict[str, Any]:
        """Return what messenger is told of its channels; no other exists, whatever the environment says."""
        ours: dict[str, Any] = {
            "smtp_url": (self.url or endpoints.smtp_url) if self.by is By.MAIL else NOWHERE,
            "slack_token": None,
            "twilio_account_sid": None,
            "twilio_auth_token": None,
            "twilio_messaging_service_sid": None,
            "sms_from": None,
            "teams_webhooks": {},
            "channel_policy_file": None,
            "brakes": "report",  # a whole year in a minute is no rate, and a fault is what a rehearsal is for
            "pacing": "report",  # its clock jumps: what would have waited is counted
            "not_there_after_s": self.late_s,
        }
        if self.by is By.SLACK:
            ours |= {"slack_token": SLACK_TOKEN, "slack_url": self.url}
        if self.by is By.SMS:
            ours |= {
                "twilio_account_sid": TWILIO_ACCOUNT,
                "twilio_auth_token": TWILIO_TOKEN,
                "twilio_url": self.url,
                "sms_from": TWILIO_NUMBER,
                "public_url": None,
            }
        if self.by is not By.MAIL:
            ours["channel_policy_file"] = self._policy(state)
        return ours

    def _policy(self, state: Path) -> Path:
        """Write the channel policy of this way as an operator would."""
        path = state / "channels.yaml"
        body = {"name": "channels", "version": "1", "default": [self.by.value], "messages": {}}
        path.write_text(yaml.safe_dump(body, sort_keys=False), encoding="utf-8")
        return path
