"""What a provider's stand-in does wrong to which request: told by a test, or drawn from a seed.

The same seed, subject and attempt draw the same lie in every run. No subject is lied to more than a few times, so that
every message arrives in the end.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum

LIES_PER_SUBJECT_MAX = 3
WHOLE = 100.0  # percent
DATE_AHEAD = timedelta(seconds=2)


class Lie(StrEnum):
    """One thing that goes wrong."""

    TOO_MANY = "too_many"
    """429, with Retry-After in one of its forms."""
    ERROR_BEFORE = "error_before"
    """500, and nothing was accepted."""
    ERROR_AFTER = "error_after"
    """500, although it was accepted."""
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    SLOW = "slow"
    """Accepted at once, answered late."""
    NOT_JSON = "not_json"
    """Accepted; the answer is a page for people."""
    NOT_OK = "not_ok"
    """Accepted; the answer says that something inside went wrong."""
    ANOTHER_ID = "another_id"
    """Accepted; the answer is about another message."""
    REDIRECT = "redirect"
    """302, and nothing was accepted."""
    LATE = "late"
    """Cut, and accepted only some time afterwards."""
    BLIND = "blind"
    """A reading back that shows messages without what they are known by."""


OF_READS = frozenset({Lie.TOO_MANY, Lie.ERROR_BEFORE, Lie.CUT_BEFORE, Lie.SLOW, Lie.NOT_JSON, Lie.REDIRECT, Lie.BLIND})


class RetryAfter(StrEnum):
    """The forms in which a provider says when to come back."""

    SECONDS = "7"
    FRACTION = "2.5"
    ZERO = "0"
    NEGATIVE = "-3"
    DAY = "86400"
    DATE = "date"
    ABSENT = "absent"


def wall() -> datetime:
    """Return the provider's own time, which no clock of ours drives."""
    return datetime.now(UTC)


def retry_after(form: RetryAfter, now: datetime) -> dict[str, str]:
    """Return the header in this form."""
    if form is RetryAfter.ABSENT:
        return {}
    if form is RetryAfter.DATE:
        return {"Retry-After": format_datetime(now.astimezone(UTC) + DATE_AHEAD, usegmt=True)}
    return {"Retry-After": form.value}


@dataclass(slots=True)
class Lies:
    """Decides what goes wrong next."""

    seed: int = 1
    shares: Mapping[Lie, float] = field(default_factory=dict)
    """Percent of the requests that reach people."""
    read_shares: Mapping[Lie, float] = field(default_factory=dict)
    """Percent of all others."""
    forms: tuple[RetryAfter, ...] = tuple(RetryAfter)
    told: deque[Lie | None] = field(default_factory=deque)
    """What a test wants for the next requests that reach people, before anything is drawn; None: honest."""
    told_of_reads: deque[Lie | None] = field(default_factory=deque)
    attempts: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)

    def next(self, subject: str, *, read: bool = False) -> Lie | None:
        """Say what goes wrong with this request about this subject; None: nothing."""
        told = self.told_of_reads if read else self.told
        if told:
            return told.popleft()
        self.attempts[subject] += 1
        if self.done[subject] >= LIES_PER_SUBJECT_MAX:
            return None
        draw = self._draw(subject, str(self.attempts[subject]))
        for lie, share in (self.read_shares if read else self.shares).items():
            if draw < share:
                self.done[subject] += 1
                return lie
            draw -= share
        return None

    def form(self, subject: str) -> RetryAfter:
        """Draw the form of a Retry-After."""
        number = int(self._draw("form", subject, str(self.attempts[subject])) / WHOLE * len(self.forms))
        return self.forms[number]

    def _draw(self, *about: str) -> float:
        """Draw from 0 to 100."""
        digest = hashlib.blake2b("|".join((str(self.seed), *about)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64 * WHOLE


def shares_of(text: str) -> dict[Lie, float]:
    """Read `too_many=5,cut_after=2`; raises ValueError."""
    shares: dict[Lie, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, percent = part.partition("=")
        shares[Lie(name.strip())] = float(percent)
    if any(share < 0 for share in shares.values()) or sum(shares.values()) > WHOLE:
        raise ValueError("shares are percent, 100 in all")
    return shares
