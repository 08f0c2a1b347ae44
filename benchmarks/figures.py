"""A measured figure beside what it should be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    events: int
    naive_events: int
    mails: int
    messages: int
    waiting: int
    waves: int
    people: int
    learners: int
    roster: int
    due_few: int
    due_many: int
    claims: int
    scale_events: int
    latency_s: int


FULL = Size(
    rounds=3,
    events=30_000,
    naive_events=300,
    mails=5_000,
    messages=2_000,
    waiting=10_000,
    waves=3,
    people=5_000,
    learners=400,
    roster=100_000,
    due_few=100_000,
    due_many=5_000_000,
    claims=100,
    scale_events=60_000,
    latency_s=12,
)
QUICK = Size(
    rounds=1,
    events=10_000,
    naive_events=100,
    mails=1_000,
    messages=400,
    waiting=1_000,
    waves=2,
    people=1_000,
    learners=60,
    roster=10_000,
    due_few=20_000,
    due_many=200_000,
    claims=10,
    scale_events=10_000,
    latency_s=3,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report; targets are those of the design, where it names some."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    aim: float | None = None
    evidence: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """What it was made of, a value for each round."""
    lower_is_better: bool = False

    @property
    def verdict(self) -> str:
        """Say in a word how it stands to its targets."""
        if self.at_least is None or self.aim is None:
            return "-"
        sign = -1 if self.lower_is_better else 1
        if sign * self.value < sign * self.at_least:
            return "below at least"
        return "ok" if sign * self.value >= sign * self.aim else "below aim"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median over the rounds of what stood side by side in one."""
    return median(our / their for our, their in zip(ours, theirs, strict=True))
