"""Sample values: what a message is rendered with when it is loaded, and previewed with when nobody gives others."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from duly_contracts.envelope import instant
from messenger.templating.manifest import Value
from messenger.words.mail_words import days_ahead, words

MOMENT = datetime(2026, 3, 17, 8, tzinfo=UTC)
DAYS_TRIED = (-1, 0, 1, 2, 5, 21)
NAME, ZONE = "Alex Example", "Europe/Berlin"


def values(declared: Mapping[str, Value], now: datetime, days: int | None = None) -> dict[str, str]:
    """Return the manifest's sample values; an instant so many days ahead of now, or of as many as the sample says."""
    return {
        name: instant(_evening(now, value.sample if days is None else days))
        if isinstance(value.sample, int)
        else value.sample
        for name, value in declared.items()
    }


def _evening(now: datetime, days: int) -> datetime:
    return now.replace(hour=16, minute=0, second=0, microsecond=0) + timedelta(days=days)


def occasions(declared: Mapping[str, Value], language: str) -> Iterator[dict[str, Any]]:
    """Yield the words of each kind of occasion: near and far, with all values and only the needed ones."""
    needed = {name for name, value in declared.items() if value.needed == "yes"}
    for days, whole, name, zone in product(DAYS_TRIED, (True, False), (NAME, ""), (ZONE, None)):
        given = values(declared, MOMENT, days)
        given = given if whole else {one: text for one, text in given.items() if one in needed}
        counted = days_ahead(declared, given, MOMENT, zone)
        yield words(declared, given, zone, language, counted) | {"name": name}
