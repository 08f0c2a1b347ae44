"""Everything an operator may set for intake; read once, in app.py."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from duly_chassis.listed import listed
from duly_chassis.loopback import is_loopback
from duly_chassis.numbers import checked_keys, senders
from duly_chassis.settings import PublicSettings

OWNER = re.compile(r"[a-z0-9-]{1,40}|\*")
TENANT = re.compile(r"[a-z0-9-]{1,40}")
WORKSPACE = re.compile(r"[A-Z0-9]{3,40}|\*")
SECRET = re.compile(r"[!-:<-~]{16,200}")
SECRETS_MAX = 2
EVERYBODY = "*"


def public_address(url: str | None) -> str | None:
    """Refuse what no provider could have signed: the address is part of what Twilio's signature covers."""
    if url is None:
        return None
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not safe or not parts.hostname or parts.query or parts.fragment or "_" in parts.hostname:
        raise ValueError("not of the form https://host/path, with a host without underscores")
    return url.rstrip("/")


def secrets_by_owner(secret: SecretStr | None) -> SecretStr | None:
    """Refuse secrets that are not one or two for each owner."""
    owned(secret)
    return secret


def owned(secret: SecretStr | None) -> Mapping[str, tuple[str, ...]]:
    """Read `new,old` for everybody, or `acme=new,old; *=one` with tenants that have their own."""
    if secret is None:
        return {}
    text = secret.get_secret_value()
    found = listed(text if "=" in text else f"{EVERYBODY}={text}", OWNER, SECRET, "new,old or acme=new,old; *=one")
    if any(len(words) > SECRETS_MAX for words in found.values()):
        raise ValueError("two secrets at a time, new,old, while one replaces the other")
    return found


def workspaces(text: object) -> object:
    """Read one tenant by workspace."""
    if not isinstance(text, str):
        return text
    found = listed(text, WORKSPACE, TENANT, "T0123=acme; T4567=globex")
    if any(len(words) != 1 for words in found.values()):
        raise ValueError("one tenant for each workspace")
    return {workspace: words[0] for workspace, words in found.items()}


class Settings(PublicSettings):
    """Adds to what every service has. Variables begin with DULY_INTAKE_; DULY_ alone is shared with messenger."""

    service: ClassVar[str] = "intake"
    samples: ClassVar[Mapping[str, Any]] = {}

    public_url: Annotated[str | None, AfterValidator(public_address)] = None
    """How providers reach `public_port`, as https://hooks.example.org: Twilio's signature covers it. Unset: none of
    Twilio's callbacks can be verified, and all are refused."""

    twilio_auth_tokens: Annotated[SecretStr | None, AfterValidator(secrets_by_owner)] = None
    """Twilio's auth token, or new,old while one replaces the other; for tenants with accounts of their own
    acme=new,old; *=one. Unset: Twilio's callbacks are refused."""

    slack_signing_secrets: Annotated[SecretStr | None, AfterValidator(secrets_by_owner)] = None
    """The signing secret of the Slack app, in the same forms. Unset: Slack's requests are refused."""

    slack_workspaces: Annotated[Mapping[str, str], NoDecode, BeforeValidator(workspaces)] = {}
    """Whose each Slack workspace is, as T0123=acme; T4567=globex, or *=acme where there is one tenant."""

    sms_senders: Annotated[Mapping[str, tuple[str, ...]], NoDecode, BeforeValidator(senders)] = {}
    """Which tenants use which of our senders, a number or a messaging service: +442071838750=acme, globex; MG01=acme.
    The same as messenger's. A text to another sender has no effect."""

    numbers_key: Annotated[SecretStr | None, AfterValidator(checked_keys)] = None
    """What phone numbers are hashed with, the same as messenger's: one key of at least 32 characters, or new,old."""

    help_text: str | None = Field(default=None, max_length=320)
    """What HELP is answered; unset: nothing, where Twilio answers it itself."""

    callbacks_per_minute_max: int = Field(default=6_000, ge=1, le=1_000_000)
    """Requests a provider may send in a minute, for each credential and kind; more are answered 429."""

    start_days_max: int = Field(default=30, ge=1, le=365)
    """How long a START to a sender of several tenants waits to be confirmed for each of them (business clock)."""

    keep_callbacks_days: int = Field(default=400, ge=66)
    """How long it is known which callbacks were taken, so that a replayed one has no effect (machine clock). A START is
    known for ever: it could lift a block."""

    keep_presses_days: int = Field(default=30, ge=1)
    """How long Slack's interactions are kept (machine clock)."""

    keep_words_days: int = Field(default=30, ge=1)
    """How long the words of a text are kept that a person should read (machine clock); of others none are."""

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """Refuse to hear STOP without being able to keep it."""
        if self.sms_senders and self.numbers_key is None:
            raise ValueError("sms_senders is set: numbers_key must be set too")
        return self
