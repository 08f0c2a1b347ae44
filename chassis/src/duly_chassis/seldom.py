"""Lets a library say the same thing now and then only: a topic that is away had aiokafka say so 300 times a second."""

import logging
import time
from collections.abc import Collection

EVERY_S = 10.0
SAYINGS_MAX = 500


class Seldom(logging.Filter):
    """Drops what one of these loggers said in the same words a moment ago; the next line tells how often that was."""

    def __init__(self, loggers: Collection[str]) -> None:
        super().__init__()
        self._loggers = frozenset(name.partition(".")[0] for name in loggers)
        self._said: dict[tuple[str, str], tuple[float, int]] = {}
        """When each was said last, and how often it was dropped since."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether this line is written."""
        if record.name.partition(".")[0] not in self._loggers:
            return True
        saying, now_s = (record.name, record.getMessage()), time.monotonic()
        last_s, dropped = self._said.get(saying, (-EVERY_S, 0))
        if now_s - last_s < EVERY_S:
            self._said[saying] = (last_s, dropped + 1)
            return False
        if len(self._said) >= SAYINGS_MAX:
            self._said.clear()
        self._said[saying] = (now_s, 0)
        if dropped:
            record.msg, record.args = f"{saying[1]} (and {dropped} times more)", ()
        return True
