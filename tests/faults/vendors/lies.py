"""What a lying provider does to which message, drawn from the seed.

Promises to the product, without which "accepted once, and none is parked" could not be asked of it: each lie befalls a
message at most once before it was accepted, whoever asks for what was taken is told in the end, and no Retry-After is
longer than a minute.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum

ASKED_IN_VAIN_MAX = 2
"""So often is a question about one recipient refused or cut, all its life."""


class Lie(StrEnum):
    """What is done instead of an honest answer."""

    LIMIT = "429"
    ERROR_BEFORE = "500 before"
    CUT_BEFORE = "cut before"
    ERROR_AFTER = "500 after"
    CUT_AFTER = "cut after"
    LATE = "late accept"


ACCEPTS = frozenset({Lie.ERROR_AFTER, Lie.CUT_AFTER})
"""The message was taken all the same."""
CUTS = frozenset({Lie.CUT_BEFORE, Lie.CUT_AFTER, Lie.LATE})
LATE_S, INSIDE = 1.5, 0.6
"""How late a message may be taken after its connection was cut, as Duly is told, and how much of that is used up:
a busy machine takes some more."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How much goes wrong, in percent of the attempts."""

    limit: float = 0
    error: float = 0  # half before, half after the acceptance
    cut: float = 0  # likewise
    asking: float = 0  # of the questions, refused or cut
    late: float = 0  # cut, and taken later


@dataclass(slots=True)
class Lies:
    """Decides each lie, and remembers what was told to whom."""

    seed: int
    shares: Shares
    told: set[tuple[str, Lie]] = field(default_factory=set)
    attempts: Counter[str] = field(default_factory=Counter)
    in_vain: Counter[str] = field(default_factory=Counter)

    def about(self, message: str) -> Lie | None:
        """Choose what befalls this attempt at a message."""
        self.attempts[message] += 1
        draw = self._draw("send", message, str(self.attempts[message]))
        edge = 0.0
        for share, lie in (
            (self.shares.limit, Lie.LIMIT),
            (self.shares.error / 2, Lie.ERROR_BEFORE),
            (self.shares.error / 2, Lie.ERROR_AFTER),
            (self.shares.cut / 2, Lie.CUT_BEFORE),
            (self.shares.cut / 2, Lie.CUT_AFTER),
            (self.shares.late, Lie.LATE),
        ):
            edge += share
            if draw < edge:
                if (message, lie) in self.told:
                    return None
                self.told.add((message, lie))
                return lie
        return None

    def asked(self, recipient: str, question: str) -> Lie | None:
        """Choose what befalls a question that changes nothing."""
        self.attempts[question] += 1
        draw = self._draw("ask", question, str(self.attempts[question]))
        if draw >= self.shares.asking or self.in_vain[recipient] >= ASKED_IN_VAIN_MAX:
            return None
        self.in_vain[recipient] += 1
        return (Lie.LIMIT, Lie.ERROR_BEFORE, Lie.CUT_BEFORE)[int(draw * 1_000) % 3]

    def late_s(self, message: str) -> float:
        """Choose how long after the cut a message is taken."""
        return LATE_S * INSIDE * self._draw("late", message) / 100

    def retry_after(self, about: str) -> dict[str, str]:
        """Write the header in one of the forms that are met."""
        soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
        forms = ("1", "30", "0", "2.5", "-3", soon, None)
        value = forms[int(self._draw("after", about, str(self.attempts[about])) * 1_000) % len(forms)]
        return {} if value is None else {"Retry-After": value}

    def _draw(self, *about: str) -> float:
        """Draw from 0 to 100; the same seed and subject give the same figure in every run."""
        digest = hashlib.blake2b("|".join((str(self.seed), *about)).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64 * 100
