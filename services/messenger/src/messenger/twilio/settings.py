"""What an operator sets for texts over Twilio; without account and token there is no such channel in this process."""

import re
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from duly_chassis.settings import ServiceSettings
from messenger.twilio.client import ACCOUNT, TWILIO_URL, TwilioSettings

SENDER = r"^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z][A-Za-z0-9 ]{0,10})$"
SERVICE = r"^MG[0-9a-f]{32}$"
CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"


class SmsSettings(ServiceSettings):
    """Adds texts to what every service has."""

    twilio_account_sid: SecretStr | None = None
    """The Twilio account, AC and 32 characters; with `twilio_auth_token` it makes the channel sms."""

    twilio_auth_token: SecretStr | None = None
    """The account's token; it is never logged."""

    twilio_messaging_service_sid: str | None = Field(default=None, pattern=SERVICE)
    """The messaging service, MG and 32 characters, which chooses among its numbers; instead of `sms_from`."""

    twilio_url: str = TWILIO_URL
    """Where Twilio answers; another address is for a stand-in, and takes no http but to this machine."""

    sms_from: str | None = Field(default=None, pattern=SENDER)
    """What texts are from: a number as +447400999999, a short code, or a name of up to 11 characters."""

    sms_brand: str = Field(default="", max_length=30)
    """What every text begins with, so that nobody wonders who writes; unset: the name in `mail_sender`."""

    sms_segments_max: int = Field(default=3, ge=1, le=10)
    """Segments a text may have, which is what it costs; a longer one waits for a person (text_too_long)."""

    sms_rate: float = Field(default=1.0, gt=0, le=100)
    """Texts a second from this sender, over all replicas: 1 for a long number in the US, 10 for most others."""

    sms_opens: str = Field(default="08:00", pattern=CLOCK)
    """The recipient's local time from which a text may be sent, inclusive."""

    sms_closes: str = Field(default="21:00", pattern=CLOCK)
    """The recipient's local time from which it may not, exclusive."""

    sms_answer_timeout_s: float = Field(default=15, gt=0, le=60)
    """How long Twilio may take to answer a text (machine clock); then it is in doubt."""

    sms_late_acceptance_s: float = Field(default=30, ge=0, le=600)
    """How long after that Twilio may still take it: nobody asks before."""

    sms_readback_lag_s: float = Field(default=30, ge=0, le=600)
    """How long what Twilio took may be missing from its lists: added to the wait before a doubt is asked about."""

    public_url: str | None = Field(default=None, max_length=300)
    """Where providers reach the service intake, as https://duly.example; unset: nobody tells what became of a text."""

    @model_validator(mode="after")
    def _texts(self) -> Self:
        """Refuse half an account, no sender or two, and addresses that could not be used."""
        account, token = self.twilio_account_sid, self.twilio_auth_token
        if (account is None) != (token is None):
            raise ValueError("twilio_account_sid and twilio_auth_token: set both or none")
        if account is None:
            return self
        if not ACCOUNT.fullmatch(account.get_secret_value()):
            raise ValueError("twilio_account_sid: AC and 32 characters of 0-9 and a-f")
        if (self.sms_from is None) == (self.twilio_messaging_service_sid is None):
            raise ValueError("sms_from or twilio_messaging_service_sid: set one of them")
        if self.public_url is not None and not reachable(self.public_url):
            raise ValueError("public_url: https:// and a host without an underscore, as https://duly.example")
        return self

    @property
    def text_sender(self) -> str:
        """Return what texts are from."""
        return self.twilio_messaging_service_sid or self.sms_from or ""

    def twilio(self, *, loopback_only: bool) -> TwilioSettings | None:
        """Return how to reach Twilio; None where it is not set up."""
        account, token = self.twilio_account_sid, self.twilio_auth_token
        if account is None or token is None:
            return None
        said = (account.get_secret_value(), token.get_secret_value())
        return TwilioSettings(
            *said,
            self.twilio_url,
            self.public_url,
            loopback_only,
            answer_timeout_s=self.sms_answer_timeout_s,
            late_acceptance_s=self.sms_late_acceptance_s,
            readback_lag_s=self.sms_readback_lag_s,
        )


def reachable(url: str) -> bool:
    """Tell whether Twilio would call this address; http only where a stand-in on this machine does."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.query or parts.fragment or parts.username or not re.fullmatch(r"[A-Za-z0-9.-]+", host):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in {"127.0.0.1", "localhost"})
