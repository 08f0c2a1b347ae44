"""Which digests a number may be blocked under, and what becomes of a message to a blocked one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from duly_chassis.numbers import digests, senders_of
from duly_contracts.signals import SmsOptedInV1, SmsOptedOutV1
from messenger.domain import Change, Outreach

NUMBER_BLOCKED = "number_blocked"
"""Why a text is not sent: whoever has the number said STOP. The next channel is not touched by it."""

BACK, LIFTED, PROVIDER = "back", "lifted", "provider"
"""How a word on a number was said, beside the classes of the signals: by START, by a person, by the provider."""

KEYWORD = "keyword"
FOR_START_ALONE = (KEYWORD, PROVIDER)
"""Words that only START takes back: STOP itself (47 CFR 64.1200(a)(10)), and what the provider heard, which refuses
texts until then. The others are our reading of a text, which a person may find to be wrong."""

STOPPED_CODES = frozenset({"21610"})
"""What Twilio answers or reports when somebody answered STOP to it: the only sign of it there is."""

Message = tuple[str, UUID]
"""Tenant and outreach."""


@dataclass(frozen=True, slots=True)
class BlockList:
    """What digests are made of; without a key or senders there are none, and nothing is ever found blocked."""

    keys: Sequence[str] = field(default=(), repr=False)
    senders: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def of(self, tenant_id: str, number: str) -> list[str]:
        """Return every digest under which this number may be blocked for this tenant."""
        return digests(self.keys, tenant_id, number, senders_of(self.senders, tenant_id))


@dataclass(frozen=True, slots=True)
class Word:
    """The last word on a number."""

    tenant_id: str
    number_digest: str
    key_mark: str
    blocked: bool
    at: datetime
    word_class: str
    who: str = ""
    why: str = ""


def word(data: SmsOptedOutV1 | SmsOptedInV1) -> Word:
    """Turn a signal into a word."""
    common = data.tenant_id, data.number_digest, data.key_mark
    if isinstance(data, SmsOptedOutV1):
        return Word(*common, blocked=True, at=data.occurred_at, word_class=data.word_class)
    return Word(*common, blocked=False, at=data.occurred_at, word_class=BACK, who=data.confirmed_by)


def last(words: Sequence[Word]) -> list[Word]:
    """Keep of each number the last word, whatever came first; of two at one moment the one that blocks."""
    found: dict[tuple[str, str], Word] = {}
    for one in sorted(words, key=lambda each: (each.at, each.blocked)):
        found[one.tenant_id, one.number_digest] = one
    return [found[key] for key in sorted(found)]


def instead(outreach: Outreach) -> Change:
    """Say what becomes of a text to a blocked number: it waits for its usefulness to end, or for START.

    Where another channel is ahead, this is the change that turns into the move there.
    """
    return Change(outreach, "due", NUMBER_BLOCKED, outreach.useful_until, outreach.attempt)
