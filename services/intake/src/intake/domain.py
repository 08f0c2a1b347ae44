"""What follows from what came in: facts in, decisions out, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

from intake.stop_words import Heard, Wish

NOBODY = ""
"""The tenant of what belongs to none that we know; no reader sees it."""

WordClass = Literal["keyword", "wish", "doubt"]
CLASSES: tuple[str, ...] = get_args(WordClass)


@dataclass(frozen=True, slots=True)
class Report:
    """A provider's word on the delivery of one of our messages."""

    tenant_id: str
    outreach_id: UUID
    provider_id: str
    status: str
    code: str


@dataclass(frozen=True, slots=True)
class Text:
    """What somebody wrote to one of our senders. `number` and `words` are personal data: nothing here logs them."""

    provider_id: str
    number: str
    sender: str
    tenants: tuple[str, ...]
    words: str
    heard: Heard


@dataclass(frozen=True, slots=True)
class Effects:
    """For which tenants a text ends texts, brings them back, or waits for a person's word."""

    out: tuple[str, ...] = ()
    back: tuple[str, ...] = ()
    waits: tuple[str, ...] = ()


def effects(heard: Heard, tenants: Sequence[str]) -> Effects:
    """Say what a text does for the tenants that use its sender (S-67).

    STOP ends the texts of all of them, for who wrote knows one sender. START brings back the texts of one; where
    several use the sender, of those that are confirmed one by one.
    """
    if heard.wish is Wish.STOP:
        return Effects(out=tuple(tenants))
    if heard.wish is Wish.START:
        return Effects(back=tuple(tenants)) if len(tenants) == 1 else Effects(waits=tuple(tenants))
    return Effects()


@dataclass(frozen=True, slots=True)
class Press:
    """Somebody's press of a button in Slack, as far as later work needs it."""

    tenant_id: str
    key: str
    """What makes it known again: Slack's id of the interaction, else a digest of its signature."""
    workspace: str
    user_id: str
    facts: str
    """The rest as JSON: ids, the pressed actions, where to answer; no name and no text."""
