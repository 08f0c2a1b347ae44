"""Everything an operator may set for messenger; read once, in app.py."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, SecretStr

from duly_chassis.settings import ServiceSettings
from duly_chassis.wallclock import zone_exists


def known_zone(zone: str) -> str:
    """Refuse a zone that nobody knows: it would be met only at the first person without one."""
    if not zone_exists(zone):
        raise ValueError("not a known IANA zone")
    return zone


class Settings(ServiceSettings):
    """Adds to what every service has. Variables begin with DULY_MESSENGER_."""

    service: ClassVar[str] = "messenger"
    samples: ClassVar[Mapping[str, Any]] = {"smtp_url": "smtp://127.0.0.1:25"}

    connections_max: int = Field(default=10, ge=2, le=50)
    """Database connections of this process; more than elsewhere, so that a gate never waits behind a batch."""

    smtp_url: SecretStr
    """The mail relay: smtp://user:password@host:port?tls=starttls, or smtps://; the login is never logged."""

    mail_sender: str = Field(default="Training <training@duly.example>", max_length=300)
    """Who the mails are from; its domain also stands in each Message-ID."""

    mail_opens: str = Field(default="07:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    """The recipient's local time from which mail may be sent, inclusive."""

    mail_closes: str = Field(default="21:00", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    """The recipient's local time from which it may not, exclusive."""

    default_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    """The IANA zone of people whose own is not known."""

    default_locale: str = "en"
    """The locale of people whose own is not known."""

    senders: int = Field(default=1, ge=1, le=4)
    """Sending loops side by side, which share the 32 mails; one was the fastest on two cores (benchmarks)."""

    sender_batch_max: int = Field(default=32, ge=1, le=32)
    """Mails one loop has on their way at once, each on a connection of its own; never more than 32 in a process."""

    lease_s: float = Field(default=6, ge=1, le=60)
    """How long a mail on its way is believed to be alive without a sign of its sender (machine clock)."""

    in_doubt_wait_min: int = Field(default=15, ge=1, le=1440)
    """How long an unanswered mail waits before it is parked for a person (business clock)."""

    loopback_only: bool = False
    """Refuse to talk to a relay that is not on this machine; a replay always does."""

    keep_stops_days: int = Field(default=400, ge=30)
    """How long facts that end something are kept for requests that could still arrive (machine clock)."""
