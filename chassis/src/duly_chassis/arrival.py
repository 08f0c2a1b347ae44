"""What to believe of a source whose clock runs ahead: the fact, but not its moment (SECURITY S-62). Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from duly_contracts.decode import Fact

AHEAD_MAX = timedelta(hours=25)
"""A zone mistaken for UTC and a slow clock stay below this; what lies further ahead cannot order anything."""


def believed(facts: Sequence[Fact[Any]], now: datetime) -> tuple[list[Fact[Any]], int]:
    """Return the facts, dated by their arrival where their own moment lies too far ahead, and how many those were."""
    latest = now + AHEAD_MAX
    if all(fact.data.occurred_at <= latest for fact in facts):
        return list(facts), 0
    dated = [fact if fact.data.occurred_at <= latest else _dated(fact, now) for fact in facts]
    return dated, sum(fact.data.occurred_at > latest for fact in facts)


def _dated(fact: Fact[Any], now: datetime) -> Fact[Any]:
    return msgspec.structs.replace(fact, data=msgspec.structs.replace(fact.data, occurred_at=now))
