"""When a campaign kills: moments spread over the run, drawn from the seed."""

import random
from dataclasses import dataclass

STARTUP_S = (0.1, 5.0)
PROGRESS_MAX = 0.8
"""No kill is planned behind this share of the mails: a replay that has ended cannot be killed."""

DONE_ENOUGH = 0.85


@dataclass(frozen=True, slots=True)
class Moment:
    """Kill once so many seconds have passed since the start, or once this share of the mails is through.

    A share that was passed while the last kill was dealt strikes with the first new mail.
    """

    after_s: float | None
    progress: float

    def has_come(self, running_s: float, progress: float, at_start: float) -> bool:
        """Tell whether to kill now; a waiting kill strikes before the replay can escape it."""
        if self.after_s is not None:
            return running_s >= self.after_s or progress >= DONE_ENOUGH
        return progress >= self.progress and progress > at_start


def moments(seed: int, kills: int) -> list[Moment]:
    """Draw the kills: three of ten while everything is still starting, the others by progress."""
    dice = random.Random(f"moments-{seed}")  # noqa: S311 - repeatable, not secret
    by_time = [Moment(dice.uniform(*STARTUP_S), 0) for _ in range(kills * 3 // 10)]
    marks = sorted(dice.uniform(0, PROGRESS_MAX) for _ in range(kills - len(by_time)))
    drawn = [Moment(None, mark) for mark in marks]
    for moment in by_time:
        drawn.insert(dice.randint(0, len(drawn)), moment)
    return drawn
