"""What a fake provider does to its clients on purpose: the ways in which real ones refuse, break and mislead.

Drawn from a seed, so that a run can be had again, or planned one by one. A fake tells the truth about itself in its
accept log, whatever it answered.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import format_datetime
from enum import StrEnum
from random import Random

from duly_local.accept_log import wall_now

SHARE_OF_ALL = "all"


class Lie(StrEnum):
    """One way to answer a request that asks to accept something."""

    TOO_MANY = "429"
    TOO_MANY_ZERO = "429-zero"
    TOO_MANY_NEGATIVE = "429-negative"
    TOO_MANY_FRACTION = "429-fraction"
    TOO_MANY_DATE = "429-date"
    TOO_MANY_DAY = "429-day"
    TOO_MANY_SILENT = "429-silent"  # without the header
    ERROR_BEFORE = "500-before"
    ERROR_AFTER = "500-after"  # accepted all the same
    CUT_BEFORE = "cut-before"
    CUT_AFTER = "cut-after"  # accepted, and the answer lost
    SLOW = "slow"  # accepted, and answered after `slow_s`
    HTML = "html"  # accepted, and answered with a page for people
    OTHER_ID = "other-id"  # accepted, and answered with an id that is not its own
    REDIRECT = "redirect"
    LATE = "late"  # the connection is cut, and `late_s` afterwards it is accepted


class BadPlan(ValueError):
    """A plan of lies that cannot be read; the text says which word."""


REFUSALS_FOR_NOW: Mapping[Lie, str | None] = {
    Lie.TOO_MANY: "1",
    Lie.TOO_MANY_ZERO: "0",
    Lie.TOO_MANY_NEGATIVE: "-5",
    Lie.TOO_MANY_FRACTION: "0.5",
    Lie.TOO_MANY_DATE: "date",
    Lie.TOO_MANY_DAY: "86400",
    Lie.TOO_MANY_SILENT: None,
}
DATE_AHEAD_S = 2


def retry_after(lie: Lie) -> dict[str, str]:
    """Return the header of a refusal for now."""
    value = REFUSALS_FOR_NOW[lie]
    if value == "date":
        value = format_datetime(wall_now(ahead_s=DATE_AHEAD_S), usegmt=True)
    return {} if value is None else {"Retry-After": value}


@dataclass(slots=True)
class Lies:
    """Which lie the next request meets; without shares and plans the fake is honest."""

    seed: int = 0
    shares: dict[Lie, float] = field(default_factory=dict)
    planned: deque[Lie | None] = field(default_factory=deque)
    """What the next requests meet, one by one, before anything is drawn; None is honesty."""
    slow_s: float = 30.0
    late_s: float = 5.0
    lag_s: float = 0.0
    """Only what was accepted longer ago than this is shown to who reads back."""
    blind: float = 0.0
    """The share of readings that show nothing younger than `blind_s`."""
    blind_s: float = 5.0
    told: dict[Lie, int] = field(default_factory=dict)
    _random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self._random.seed(self.seed)

    def next(self) -> Lie | None:
        """Draw for one request that asks to accept something; None: the truth."""
        lie = self.planned.popleft() if self.planned else self._drawn()
        if lie is not None:
            self.told[lie] = self.told.get(lie, 0) + 1
        return lie

    def hidden_s(self) -> float:
        """Say for one reading how long ago something must have been accepted to be shown."""
        return max(self.lag_s, self.blind_s if self._random.random() < self.blind else 0.0)

    def change(self, plan: Mapping[str, object]) -> None:
        """Take a plan: seed, shares by lie, `next` lies, and the times in seconds; raises BadPlan."""
        for name, value in plan.items():
            match name, value:
                case "seed", int():
                    self._random.seed(value)
                case "shares", Mapping():
                    self.shares = {_lie(one): _number(share) for one, share in value.items()}
                case "next", list():
                    self.planned = deque(None if one is None else _lie(one) for one in value)
                case (("slow_s" | "late_s" | "lag_s" | "blind" | "blind_s"), _):
                    setattr(self, name, _number(value))
                case _:
                    raise BadPlan(f"{name[:40]}: no part of a plan of lies")

    def _drawn(self) -> Lie | None:
        point = self._random.random()
        for lie, share in self.shares.items():
            if point < share:
                return lie
            point -= share
        return None


def shares(text: str) -> dict[str, float]:
    """Read `429=0.05,cut-after=0.03`, or `all=0.2` for a fifth shared among all; raises BadPlan."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, share = part.partition("=")
        if name == SHARE_OF_ALL:
            found |= {lie.value: _number(share) / len(Lie) for lie in Lie}
        else:
            found[_lie(name).value] = _number(share)
    return found


def _lie(name: object) -> Lie:
    try:
        return Lie(str(name))
    except ValueError:
        raise BadPlan(f"{str(name)[:40]}: no such lie; there are {', '.join(Lie)}") from None


def _number(value: object) -> float:
    try:
        found = float(str(value))
    except ValueError:
        raise BadPlan(f"{str(value)[:40]}: not a number") from None
    if not 0 <= found <= 86_400:  # noqa: PLR2004 - a day; also refuses what is no number at all
        raise BadPlan(f"{str(value)[:40]}: not between 0 and 86400")
    return found
