"""Named points at which a process kills itself, for fault tests only (RELIABILITY.md section 9, C1b).

DULY_CRASH_AT=point:n, as lane-before-commit:2, kills a process with SIGKILL at the n-th time it comes to that point:
no clean-up, no last word, as when the machine takes it. Commands that run or migrate services arm it as they start;
where the variable is not set, a point costs one comparison.
"""

import os
import re
import signal
from collections.abc import Mapping

from duly_chassis.plain import PlainError

VARIABLE = "DULY_CRASH_AT"
NUMBER = re.compile(r"[1-9][0-9]{0,5}")
POINTS = frozenset(
    {
        "batch-decoded",
        "inbox-before",
        "inbox-after",
        "lane-before-commit",
        "lane-after-commit",
        "ack-before",
        "ack-after",
        "due-claimed",
        "due-before-commit",
        "due-after-commit",
        "relay-read",
        "relay-sending",
        "relay-published",
        "relay-marked",
        "send-claimed",
        "gate-held",
        "body-written",
        "answer-read",
        "settle-before-commit",
        "settle-after-commit",
        "lapse-before-commit",
        "lapse-after-commit",
        "park-decided",
        "order-before-commit",
        "order-after-commit",
        "import-planned",
        "import-written",
        "import-before-commit",
        "import-after-commit",
        "schema-migrated",
        "replay-before-commit",
        "replay-after-commit",
        "bounce-before-commit",
        "bounce-after-commit",
        "claim-before-commit",
        "http-standing",
        "http-permitted",
        "http-written",
        "http-answered",
        "ask-claimed",
        "ask-answered",
        "ask-after-commit",
        "move-decided",
        "block-kept",
        "hold-before-commit",
        "hold-after-commit",
        "release-before-commit",
        "release-after-commit",
        "held-let-go",
        "callback-before-commit",
        "callback-after-commit",
    }
)
"""Every point there is; each stands at exactly one place of the code."""


class BadPoint(PlainError):
    """The variable names no point, or no number."""


class Countdown:
    """How often the armed point may still be passed."""

    def __init__(self) -> None:
        self.point: str | None = None
        self.left = 0

    def reached(self, point: str) -> None:
        """Die if this is the armed point for the last time."""
        if point == self.point:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


ARMED = Countdown()


def at(point: str) -> None:
    """Come to a named point; unarmed, nothing happens."""
    if ARMED.point is not None:
        ARMED.reached(point)


def arm(environment: Mapping[str, str] | None = None) -> None:
    """Arm the point that the variable names, if it is set; raises BadPoint."""
    told = (os.environ if environment is None else environment).get(VARIABLE)
    if not told:
        return
    point, _, number = told.partition(":")
    if point not in POINTS or NUMBER.fullmatch(number) is None:
        raise BadPoint(
            f"{VARIABLE} is for fault tests and wants point:number, with one of: {', '.join(sorted(POINTS))}"
        )
    ARMED.point, ARMED.left = point, int(number)
