"""Ids of our own: derived from their cause, so that what is published twice is one fact."""

from uuid import UUID, uuid5

NAMESPACE = UUID("6f1d0c4e-8a57-5b8e-9a0e-6475c7a1d001")
"""Duly's own name space; changing it would make every derived id a new one."""


def derived(*parts: str) -> UUID:
    """Return the id that these parts always lead to (UUID version 5).

    Parts are joined by a character that no id may contain, so ("a", "bc") and ("ab", "c") differ.
    """
    return uuid5(NAMESPACE, "\x1f".join(parts))
