"""Mail addresses: exactly one, plain, and unable to become two or to carry a header.

Narrower than RFC 5322 on purpose: no comments, no quoted local parts, no address literals. Nobody's training
reminder has to go to `"a b"@x.org`, and each of these forms has carried an attack.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from unicodedata import category

ADDRESS_CHARACTERS_MAX = 254  # RFC 5321: what fits the path of a MAIL command
LOCAL_CHARACTERS_MAX = 64

PLAIN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]+)>")


class NotAnAddress(ValueError):
    """The text is not exactly one plain address; the argument says what is wrong with it, without repeating it."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A name to be seen and an address that was checked."""

    name: str
    address: str


def checked_address(text: str) -> str:
    """Return the one address this text is, or raise NotAnAddress; nothing is guessed or repaired."""
    if not text:
        raise NotAnAddress("empty")
    if len(text.encode(errors="replace")) > ADDRESS_CHARACTERS_MAX:
        raise NotAnAddress("too_long")
    if not PLAIN.fullmatch(text if text.isascii() else _as_ascii(text)):
        raise NotAnAddress("not_one_plain_address")
    local, _, domain = text.partition("@")
    if len(local) > LOCAL_CHARACTERS_MAX or any(len(label) > 63 for label in domain.split(".")):  # noqa: PLR2004
        raise NotAnAddress("too_long")
    return text


def address_digest(tenant_id: str, person_id: str, address: str) -> bytes:
    """Give what is kept of an address, to know it again: bound to its person, so that it links nobody to another."""
    return sha256(f"{tenant_id}\0{person_id}\0{address.casefold()}".encode(errors="replace")).digest()[:16]


def _as_ascii(text: str) -> str:
    """Put an x for each foreign letter, mark or digit: what is left tells whether the form is plain."""
    return "".join("x" if not c.isascii() and category(c)[0] in "LMN" else c for c in text)


def parse_mailbox(text: str) -> Mailbox:
    """Read a sender from the settings: `Duly <duly@example.org>` or the address alone; raises NotAnAddress."""
    named = NAMED.fullmatch(text.strip())
    if named is None:
        return Mailbox("", checked_address(text.strip()))
    return Mailbox(named["name"].strip('" '), checked_address(named["address"]))
