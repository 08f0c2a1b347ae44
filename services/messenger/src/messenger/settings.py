"""Everything an operator may set for messenger; read once, in app.py."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from duly_chassis.numbers import checked_keys, keys
from duly_chassis.numbers import senders as by_sender
from duly_chassis.wallclock import zone_exists
from messenger.slack.settings import SlackOptions
from messenger.teams.settings import TeamsOptions
from messenger.twilio.settings import SmsSettings
from messenger.words.moments import known_locale

TENANT = re.compile(r"[a-z0-9-]{1,40}|\*")
BOUNCE_DOMAIN = r"^[a-z0-9](-?[a-z0-9])*(\.[a-z0-9](-?[a-z0-9])*)+$"
BOUNCE_KEYS_MAX = 2
BOUNCE_KEY_CHARACTERS_MIN = 32
HOST = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+")


def known_zone(zone: str) -> str:
    """Refuse a zone that nobody knows: it would be met only at the first person without one."""
    if not zone_exists(zone):
        raise ValueError("not a known IANA zone")
    return zone


def by_tenant(text: object) -> object:
    """Read `acme=a, b; globex=c` as what each tenant has."""
    if not isinstance(text, str):
        return text
    found: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        tenant, equals, words = part.partition("=")
        listed = tuple(word.strip() for word in words.split(",") if word.strip())
        if not equals or not TENANT.fullmatch(tenant.strip()) or not listed or tenant.strip() in found:
            raise ValueError("not of the form acme=value; globex=value, each tenant once")
        found[tenant.strip()] = listed
    return found


def hosts(text: object) -> object:
    """Read hosts by tenant, in small letters as addresses are compared."""
    found = by_tenant(text.lower() if isinstance(text, str) else text)
    if isinstance(found, dict) and not all(HOST.fullmatch(host) for listed in found.values() for host in listed):
        raise ValueError("a host is a name as lms.example or *.lms.example")
    return found


def locales(text: object) -> object:
    """Read one locale by tenant."""
    found = by_tenant(text)
    if not isinstance(found, dict):
        return found
    if not all(len(listed) == 1 and known_locale(listed[0]) for listed in found.values()):
        raise ValueError("one known locale for each tenant, as acme=de")
    return {tenant: listed[0] for tenant, listed in found.items()}


def zones(text: object) -> object:
    """Read zones by tenant, each one that is known."""
    found = by_tenant(text)
    if isinstance(found, dict) and not all(zone_exists(zone) for listed in found.values() for zone in listed):
        raise ValueError("a zone is an IANA name as Europe/London")
    return found


class Settings(SlackOptions, SmsSettings, TeamsOptions):
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

    channel_policy_file: Path | None = None
    """Over which channels messages go, in which order (policies/channels.yaml is the shipped one); unset: by mail."""

    pacing: Literal["wait", "report"] = "wait"
    """Keep to the providers' pace; a rehearsal, whose clock jumps, only reports what would have waited."""

    not_there_after_s: float = Field(default=0, ge=0, le=120)
    """How long after a provider said that it has no such message it is asked once more, before it is believed (machine
    clock): for a rehearsal, whose clock jumps over the time in which it may still take one."""

    brakes: Literal["hold", "report"] = "hold"
    """Whether the brakes that trip by a rule hold messages; a rehearsal only reports what they would have held."""

    send_rate_floor: int = Field(default=50, ge=1)
    """Messages a tenant may send in an hour whatever is usual; above it, three times the median of four weeks."""

    release_rate: float = Field(default=20, ge=0.1, le=1000)
    """Messages a second that a released brake lets go (business clock), so that nothing leaves in a burst."""

    default_zone: Annotated[str, AfterValidator(known_zone)] = "UTC"
    """The IANA zone of people whose own is not known."""

    tenant_zones: Annotated[Mapping[str, tuple[str, ...]], NoDecode, BeforeValidator(zones)] = {}
    """The zones in which a tenant's people live, as acme=Europe/London, America/New_York; for all others *=Asia/Tokyo.
    Whose own is not known is written to only at hours that all of them permit; unset: at those of `default_zone`."""

    default_locale: str = "en"
    """The locale of people whose own is not known."""

    tenant_locales: Annotated[Mapping[str, str], NoDecode, BeforeValidator(locales)] = {}
    """The locale of a tenant's people whose own is not known or not spoken, as acme=de; globex=en-GB."""

    templates_dir: Path | None = None
    """The folder of the tenants' own messages, DIR/TENANT/MESSAGE/VERSION; without it all get the shipped ones."""

    link_hosts: Annotated[Mapping[str, tuple[str, ...]], NoDecode, BeforeValidator(hosts)] = {}
    """Where links in mails may lead, as acme=lms.acme.example, *.acme.example; for all others *=lms.example. A tenant
    that neither names gets links to any host, always by https."""

    senders: int = Field(default=1, ge=1, le=4)
    """Sending loops for mail side by side; one was the fastest on two cores (benchmarks)."""

    sender_batch_max: int = Field(default=32, ge=1, le=32)
    """Messages one loop has on their way at once. The loops of mail and Teams share 32 equally, for what a crash leaves
    of them waits for a person; Slack and SMS, which can be asked, have 32 each."""

    lease_s: float = Field(default=6, ge=1, le=60)
    """How long a mail on its way is believed to be alive without a sign of its sender (machine clock)."""

    in_doubt_wait_min: int = Field(default=15, ge=1, le=1440)
    """How long an unanswered mail waits before it is parked for a person (business clock)."""

    bounce_domain: str | None = Field(default=None, max_length=180, pattern=BOUNCE_DOMAIN)
    """The domain, in lower case, that undeliverable mail comes back to; unset: to `mail_sender`, and nobody looks."""

    bounce_keys: SecretStr | None = None
    """What signs return addresses: one key of at least 32 characters, or new,old while one replaces the other."""

    bounce_host: str = "127.0.0.1"
    """Where the relay delivers mail for the bounce domain; an inner address, never a public one."""

    bounce_port: int | None = Field(default=None, ge=0, le=65535)
    """The SMTP port for it; unset: no such door; 0 takes a free one and logs it."""

    sms_senders: Annotated[Mapping[str, tuple[str, ...]], NoDecode, BeforeValidator(by_sender)] = {}
    """Which tenants use which of our senders, a number or a messaging service: +442071838750=acme, globex; MG01=acme.
    The same as intake's: numbers are blocked by sender."""

    numbers_key: Annotated[SecretStr | None, AfterValidator(checked_keys)] = None
    """What phone numbers are hashed with, the same as intake's: one key of at least 32 characters, or new,old. An old
    one stays for as long as numbers are blocked under it (`duly_untestable_blocks_records`)."""

    loopback_only: bool = False
    """Refuse to talk to a relay that is not on this machine; a replay always does."""

    keep_stops_days: int = Field(default=400, ge=30)
    """How long facts that end something are kept for requests that could still arrive (machine clock)."""

    keep_pacing_days: int = Field(default=30, ge=2)
    """How long a recipient's pace is kept after its last message (machine clock)."""

    keep_counts_days: int = Field(default=60, ge=30)
    """How long it is known how much was sent in each hour (machine clock); the send-rate brake looks back 28 days."""

    keep_bounces_days: int = Field(default=90, ge=30)
    """How long it is known which bounces were taken (machine clock); what they changed stays."""

    keep_reports_days: int = Field(default=400, ge=90)
    """How long it is known what providers reported of messages (machine clock); what it changed stays."""

    def digest_keys(self) -> list[str]:
        """Return the keys that numbers are compared with; the first one writes."""
        return keys(self.numbers_key)

    @model_validator(mode="after")
    def _signed(self) -> Self:
        """Refuse return addresses that anybody could write, and a door without a domain."""
        signing = self.signing_keys()
        if self.bounce_domain is None:
            if self.bounce_port is not None:
                raise ValueError("bounce_port is set: bounce_domain must be set too")
            return self
        if not 1 <= len(signing) <= BOUNCE_KEYS_MAX or any(len(key) < BOUNCE_KEY_CHARACTERS_MIN for key in signing):
            raise ValueError("bounce_domain is set: bounce_keys must be one or two keys of at least 32 characters")
        return self

    def release_interval(self) -> timedelta:
        """Return the time between two messages that a released brake lets go."""
        return timedelta(seconds=1 / self.release_rate)

    def signing_keys(self) -> list[str]:
        """Return the keys of return addresses; the first one signs."""
        if self.bounce_keys is None:
            return []
        return [key.strip() for key in self.bounce_keys.get_secret_value().split(",")]
