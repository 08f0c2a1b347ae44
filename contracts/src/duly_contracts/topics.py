"""The topics of the house: one per subject, their number of partitions fixed at creation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """How a topic is created; `compacted` keeps the last record of a key instead of records by age."""

    name: str
    partitions: int = 6
    compacted: bool = False
    retention_days: int = 35  # disorder of 30 days is normal input, and a replay needs room beside it


TRAINING = Topic("duly.training")
PEOPLE = Topic("duly.people", compacted=True)
OUTREACH = Topic("duly.outreach")
DECISIONS = Topic("duly.decisions")
SIGNALS = Topic("duly.signals")

ALL = (TRAINING, PEOPLE, OUTREACH, DECISIONS, SIGNALS)
