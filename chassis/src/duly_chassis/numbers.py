"""Phone numbers as they are kept for comparing: keyed digests, which nobody can guess back without the key.

There are few numbers: a plain hash of all of them is made in an hour. The digest is bound to tenant and sender, so that
it links nobody from one customer to another.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from pydantic import SecretStr

from duly_chassis.listed import listed

SENDER = re.compile(r"\+?[0-9A-Za-z]{3,40}")
TENANT = re.compile(r"[a-z0-9-]{1,40}")

KEYS_MAX = 2
KEY_CHARACTERS_MIN = 32


def checked_keys(secret: SecretStr | None) -> SecretStr | None:
    """Refuse keys that are short, or more than two; raises ValueError."""
    found = keys(secret)
    if secret is not None and (len(found) > KEYS_MAX or any(len(key) < KEY_CHARACTERS_MIN for key in found)):
        raise ValueError("one key of at least 32 characters, or new,old while one replaces the other")
    return secret


def keys(secret: SecretStr | None) -> list[str]:
    """Return the keys of a setting, the one that writes first."""
    return [] if secret is None else [key.strip() for key in secret.get_secret_value().split(",")]


def number_digest(key: str, tenant_id: str, number: str, sender: str) -> str:
    """Give what is kept of a number towards one of a tenant's senders, in 64 hexadecimal digits."""
    return hmac.new(key.encode(), f"number\0{tenant_id}\0{number}\0{sender}".encode(), sha256).hexdigest()


def key_mark(key: str) -> str:
    """Name a key without giving it away, so that digests made with another one are noticed."""
    return hmac.new(key.encode(), b"mark", sha256).hexdigest()[:8]


def digests(secret_keys: Sequence[str], tenant_id: str, number: str, senders: Sequence[str]) -> list[str]:
    """Give every digest under which a number may be kept: by each key, towards each sender."""
    return [number_digest(key, tenant_id, number, sender) for key in secret_keys for sender in senders]


def senders(text: object) -> object:
    """Read which tenants use which of our senders, as a setting has it; raises ValueError."""
    return listed(text, SENDER, TENANT, "+442071838750=acme, globex; MG01=acme") if isinstance(text, str) else text


def senders_of(found: Mapping[str, Sequence[str]], tenant_id: str) -> list[str]:
    """Return the senders that a tenant uses."""
    return [sender for sender, tenants in found.items() if tenant_id in tenants]
