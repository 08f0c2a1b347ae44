"""How much of what came lately was poison: what the consumer's brake goes by (RELIABILITY 5.11)."""

import time
from collections import deque
from collections.abc import Sequence

from duly_chassis.applying import Read
from duly_contracts.decode import Poison

POISON_PER_MINUTE_MAX = 20
POISON_SHARE_MAX = 0.05
RECENT_RECORDS = 1000


def poison_in(reads: Sequence[Read]) -> int:
    """Count what could not be read."""
    return sum(isinstance(read.outcome, Poison) for read in reads)


class Recent:
    """How much of what came lately was poison (machine clock)."""

    def __init__(self) -> None:
        self._minute: deque[tuple[float, int]] = deque()
        self._thousand: deque[tuple[int, int]] = deque()

    def note(self, poison: int, number: int) -> None:
        """Remember one batch."""
        if not number:
            return
        if poison:
            self._minute.append((time.monotonic(), poison))
        self._thousand.append((poison, number))
        while sum(seen for _, seen in self._thousand) - self._thousand[0][1] >= RECENT_RECORDS:
            self._thousand.popleft()

    def too_much(self, poison: int, number: int) -> bool:
        """Tell whether this batch would break a limit; few records say nothing about a share."""
        if not poison:
            return False
        since = time.monotonic() - 60
        if poison + sum(count for at, count in self._minute if at >= since) > POISON_PER_MINUTE_MAX:
            return True
        seen = number + sum(count for _, count in self._thousand)
        bad = poison + sum(count for count, _ in self._thousand)
        return seen >= RECENT_RECORDS and bad > POISON_SHARE_MAX * seen
