"""How often somebody may knock: a steady rate with a burst, held in this process (machine clock)."""

import time
from collections.abc import Callable, Hashable


class Rates:
    """One pace per credential. Credentials are ours, so there are few; each replica counts for itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_s: dict[Hashable, float] = {}

    def wait_s(self, who: Hashable, per_minute_max: int) -> float:
        """Count one request, and return 0; or, for one too many, how long to wait for the next.

        A whole minute's worth may come at once, after a pause of a minute.
        """
        now_s, pace_s = self._clock(), 60 / per_minute_max
        due_s = max(self._next_s.get(who, now_s), now_s)
        if due_s + pace_s - now_s > 60:  # noqa: PLR2004 - a minute
            return due_s + pace_s - now_s - 60
        self._next_s[who] = due_s + pace_s
        return 0
