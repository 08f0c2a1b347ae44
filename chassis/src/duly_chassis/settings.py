"""What an operator may set for every service, and how it is read: environment or secret files, once, at start.

`DULY_REMINDERS_DATABASE_URL` is for reminders alone, `DULY_DATABASE_URL` for every service that has none
of its own; with `_FILE` appended either names a file that holds the value.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from duly_chassis.loopback import is_loopback
from duly_chassis.secret_files import from_file

SHARED_PREFIX = "DULY_"
BROKER = re.compile(r"([^\s,:/@\[\]]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")


def database_address(url: SecretStr) -> SecretStr:
    """Refuse what no driver could read: it would be tried for ever, as a server that is away is."""
    try:
        parts = urlsplit(url.get_secret_value())
        form = parts.scheme in {"postgresql", "postgres"} and parts.port != 0
    except ValueError:  # the port, or brackets
        form = False
    if not form:
        raise ValueError("not of the form postgresql://user:password@host:port/name")
    return url


def broker_addresses(bootstrap: str) -> str:
    """Refuse what is not host:port, several separated by commas; for the same reason."""
    if not all(BROKER.fullmatch(one.strip()) for one in bootstrap.split(",")):
        raise ValueError("not of the form host:port, several separated by commas")
    return bootstrap


class FileSource(PydanticBaseSettingsSource):
    """Values that lie in files named by `<PREFIX><SETTING>_FILE`, as orchestrators mount secrets."""

    def __init__(self, settings_cls: type[BaseSettings], prefix: str) -> None:
        super().__init__(settings_cls)
        self._prefix = prefix

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base names both
        """Read the file that is named for this setting, if one is; raises ValueError."""
        return from_file(f"{self._prefix}{field_name.upper()}"), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return what the files hold."""
        found = ((name, self.get_field_value(field, name)[0]) for name, field in self.settings_cls.model_fields.items())
        return {name: value for name, value in found if value is not None}


class ServiceSettings(BaseSettings):
    """The settings every service has; a service's own class adds to them. Values never appear in errors."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    service: ClassVar[str]
    """The service's name; its own variables begin with DULY_<NAME>_."""

    samples: ClassVar[Mapping[str, Any]] = {}
    """Values for the service's own settings without a default, good enough to describe it without any server."""

    database_url: Annotated[SecretStr, AfterValidator(database_address)]
    """The PostgreSQL server and database, as postgresql://user@host:port/name; the service takes its own role."""

    kafka_bootstrap: Annotated[str, AfterValidator(broker_addresses)]
    """Where the brokers are, as host:port, several separated by commas."""

    http_host: str = "127.0.0.1"
    """Where health, metrics and explanations are served; an inner address, never a public one."""

    http_port: int = Field(default=0, ge=0, le=65535)
    """The port for it; 0 takes a free one and logs it."""

    http_token: SecretStr | None = None
    """What a caller of /v1 must bring as bearer token; required when http_host is not a loopback address."""

    batch_records_max: int = Field(default=6000, ge=1, le=10_000)
    """Records taken from Kafka at once: the largest batch anywhere in the consumer layer; about a third a lane."""

    batch_wait_ms: int = Field(default=20, ge=1, le=1000)
    """How long the consumer waits for more when nothing is there (machine clock)."""

    instance_id: str | None = None
    """A stable name of this replica: a restarted one takes its partitions back at once instead of after the timeout."""

    lanes: int = Field(default=3, ge=1, le=6)
    """Database transactions that work one batch side by side, split by partition."""

    due_batch_max: int = Field(default=1000, ge=1, le=5000)
    """Rows whose moment came, claimed at once."""

    tick_interval_s: float = Field(default=5, gt=0, le=300)
    """How often due rows are looked for when nothing wakes the loop (machine clock); lateness by this much at most."""

    relay_batch_max: int = Field(default=2000, ge=1, le=10_000)
    """Outgoing events published at once."""

    connections_max: int = Field(default=6, ge=2, le=50)
    """Database connections of this process: lanes, due loops, relay and HTTP together."""

    stop_deadline_s: float = Field(default=25, gt=0, le=300)
    """How long an orderly stop may take (machine clock) before what is left is abandoned to crash recovery."""

    keep_inbox_days: int = Field(default=66, ge=1)
    """How long seen event ids are kept: longer than topics keep records and dead letters may be replayed, together
    (35 and 30 days; machine clock)."""

    keep_outbox_days: int = Field(default=1, ge=1)
    """How long published events stay in the outbox (machine clock)."""

    keep_dead_letters_days: int = Field(default=30, ge=1)
    """How long dead letters are kept (machine clock)."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged: this level and above."""

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        """Refuse to answer strangers without a token."""
        if self.http_token is None and not is_loopback(self.http_host):
            raise ValueError("http_host is not a loopback address: http_token must be set")
        return self

    @classmethod
    def sample(cls, **values: Any) -> Self:
        """Return settings from which the service can be built and described, but not run."""
        nowhere = {"database_url": "postgresql://nobody@127.0.0.1:1/none", "kafka_bootstrap": "127.0.0.1:1"}
        return cls(**{**nowhere, **cls.samples, **values})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by one with the service's prefix
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - files named by _FILE instead
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - files named by _FILE instead
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Look in this order: arguments, the service's own variables and files, the shared ones."""
        own = f"{SHARED_PREFIX}{cls.service.upper()}_"
        return (
            init_settings,
            EnvSettingsSource(settings_cls, env_prefix=own),
            FileSource(settings_cls, own),
            EnvSettingsSource(settings_cls, env_prefix=SHARED_PREFIX),
            FileSource(settings_cls, SHARED_PREFIX),
        )


class PublicSettings(ServiceSettings):
    """For a service with hooks: the address that providers reach, apart from the inner one."""

    public_host: str = "127.0.0.1"
    """Where providers' callbacks are taken, and nothing else is answered; behind a proxy that ends TLS."""

    public_port: int = Field(default=0, ge=0, le=65535)
    """The port for it; 0 takes a free one and logs it."""
