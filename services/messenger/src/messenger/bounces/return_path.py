"""The address that bounces come back to: it names the message, signed, and holds no personal data.

`bounce+TOKEN@DOMAIN`, where TOKEN is lower-case base32 without padding, since relays may fold the case of an address:
16 bytes outreach id, 2 bytes attempt, 6 bytes of the tenant's hash, 11 bytes signature. That is 63 of the 64
characters a local part may have, so the tenant's own name does not fit; the signature covers its hash.
"""

import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

PREFIX = "bounce+"
PURPOSE = b"duly return path 1\0"  # a key that signs something else, too, must not sign this by accident
ID_BYTES, ATTEMPT_BYTES, TENANT_BYTES, SIGNATURE_BYTES = 16, 2, 6, 11
SIGNED_BYTES = ID_BYTES + ATTEMPT_BYTES + TENANT_BYTES
TOKEN = re.compile(r"[a-z2-7]{56}")
ATTEMPT_MAX = 2 ** (8 * ATTEMPT_BYTES) - 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """Which attempt at which message of which tenant; the tenant by its hash, since only that fits."""

    outreach_id: UUID
    attempt: int
    tenant_hash: bytes


class ReturnPath:
    """Writes and reads return addresses of one domain; the first key signs, every key is believed."""

    def __init__(self, domain: str, keys: Sequence[str]) -> None:
        self.domain = domain.lower()
        self._keys = [key.encode() for key in keys]
        self._anywhere = re.compile(
            rf"(?<![a-z0-9])({re.escape(PREFIX)}{TOKEN.pattern}@{re.escape(self.domain)})(?![a-z0-9.-]*[a-z0-9-])"
        )

    def address(self, tenant_id: str, outreach_id: UUID, attempt: int) -> str:
        """Write the return address of one attempt."""
        signed = outreach_id.bytes + min(attempt, ATTEMPT_MAX).to_bytes(ATTEMPT_BYTES, "big") + tenant_hash(tenant_id)
        token = b32encode(signed + _signature(self._keys[0], signed)).decode().lower()
        return f"{PREFIX}{token}@{self.domain}"

    def ours(self, address: str) -> bool:
        """Tell whether an address is of this domain."""
        return address.rpartition("@")[2].lower() == self.domain

    def read(self, address: str) -> Ticket | None:
        """Read a return address; None for one that we did not write, whatever is wrong with it."""
        local, _, domain = address.lower().rpartition("@")
        token = local.removeprefix(PREFIX)
        if domain != self.domain or not local.startswith(PREFIX) or not TOKEN.fullmatch(token):
            return None
        content = b32decode(token.upper())
        signed, signature = content[:SIGNED_BYTES], content[SIGNED_BYTES:]
        if not any(hmac.compare_digest(_signature(key, signed), signature) for key in self._keys):
            return None
        return Ticket(
            outreach_id=UUID(bytes=signed[:ID_BYTES]),
            attempt=int.from_bytes(signed[ID_BYTES : ID_BYTES + ATTEMPT_BYTES], "big"),
            tenant_hash=signed[ID_BYTES + ATTEMPT_BYTES :],
        )

    def found_in(self, text: str) -> Ticket | None:
        """Find the first return address of ours in a text, such as the headers of a stored mail."""
        tickets = (self.read(address) for address in self._anywhere.findall(text.lower()))
        return next((ticket for ticket in tickets if ticket is not None), None)


def tenant_hash(tenant_id: str) -> bytes:
    """Shorten a tenant's id to what fits; the signature keeps anybody from choosing another of the same hash."""
    return sha256(tenant_id.encode()).digest()[:TENANT_BYTES]


def _signature(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(key, PURPOSE + signed, "sha256")[:SIGNATURE_BYTES]
