"""What an operator sets for Microsoft Teams; without a webhook there is no such channel in this process."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode

from duly_chassis.loopback import is_loopback
from duly_chassis.settings import ServiceSettings
from messenger.teams.channel import TeamsSettings

CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$"
TENANT = re.compile(r"[a-z0-9-]{1,40}")
URL = re.compile(r"[A-Za-z0-9:/?#\[\]@!$&'()*+,=._~%-]{1,2000}")  # RFC 3986, but the semicolon
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")  # so that no two readers see different hosts
HOSTS = (".logic.azure.com", ".api.powerplatform.com", ".webhook.office.com")
"""Where Microsoft's webhooks are: workflows, those of today, and old connectors."""

HTTPS_PORTS = {None, 443}


def webhooks(text: object) -> object:
    """Read `acme=https://…; globex=https://…`, as lines too; raises ValueError that repeats no URL."""
    if isinstance(text, Mapping):
        pairs = [(str(tenant), shown(url)) for tenant, url in text.items()]
    else:
        parts = [part.strip() for part in re.split(r"[;\n]", str(text)) if part.strip()]
        pairs = [(tenant.strip(), url.strip()) for tenant, _, url in (part.partition("=") for part in parts)]
    tenants = [tenant for tenant, _ in pairs]
    if not all(TENANT.fullmatch(tenant) and url for tenant, url in pairs) or len(tenants) != len(set(tenants)):
        raise ValueError("not of the form acme=https://…; globex=https://…, each tenant once")
    for tenant, url in pairs:
        if not usable(url):
            raise ValueError(f"{tenant}: a webhook is https:// on {', '.join('*' + host for host in HOSTS)}")
    return {tenant: SecretStr(url) for tenant, url in pairs}


def shown(url: object) -> str:
    """Return a URL that may be wrapped already."""
    return url.get_secret_value() if isinstance(url, SecretStr) else str(url)


def usable(url: str) -> bool:
    """Tell whether a webhook may be posted to: one of Microsoft's hosts, or a stand-in on this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not URL.fullmatch(url) or parts.username is not None or parts.fragment:
        return False
    if is_loopback(host):
        return parts.scheme in {"http", "https"}
    return parts.scheme == "https" and port in HTTPS_PORTS and HOST.fullmatch(host) is not None and host.endswith(HOSTS)


class TeamsOptions(ServiceSettings):
    """Adds Microsoft Teams to what every service has."""

    teams_webhooks: Annotated[Mapping[str, SecretStr], NoDecode, BeforeValidator(webhooks)] = {}
    """The webhook of each tenant's channel, as acme=https://…; globex=https://…: secrets, for whoever knows one may
    post there. They make the channel teams, which is best effort and takes no mandatory message."""

    teams_per_minute: float = Field(default=1.0, gt=0, le=240)
    """Messages a minute to one tenant's channel, over all replicas, after up to four at once; 1 is under every limit
    that Microsoft has published."""

    teams_opens: str = Field(default="07:00", pattern=CLOCK)
    """The recipient's local time from which a message in Teams may be sent, inclusive."""

    teams_closes: str = Field(default="21:00", pattern=CLOCK)
    """The recipient's local time from which it may not, exclusive."""

    def teams(self, *, loopback_only: bool) -> TeamsSettings | None:
        """Return the webhooks; None where there is none. Raises HttpUrlError for a place that is forbidden."""
        if not self.teams_webhooks:
            return None
        found = TeamsSettings(
            {tenant: url.get_secret_value() for tenant, url in self.teams_webhooks.items()}, loopback_only
        )
        for url in found.webhooks.values():
            found.http(url)
        return found
