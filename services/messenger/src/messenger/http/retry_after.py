"""One reader of Retry-After (RFC 9110, 10.2.3) for every provider: seconds or a date, and whatever else they send."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRY_AFTER_S_MAX = 86_400.0
"""A day: what asks for more is asked again after a day."""
CHARACTERS_MAX = 100
SECONDS = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds to wait, 0 to a day; None where nothing was said that can be read.

    `now` is the provider's own time where its answer tells it (the header Date), else the machine's wall clock. What
    is below 0, or a date that is past, means at once.
    """
    text = (value or "").strip()[:CHARACTERS_MAX]
    if SECONDS.fullmatch(text):
        return _within(float(text))
    at = http_date(text)
    return None if at is None else _within((at - now).total_seconds())


def http_date(text: str | None) -> datetime | None:
    """Read a date of HTTP in any of its three forms; None for what is none."""
    try:
        at = parsedate_to_datetime((text or "").strip()[:CHARACTERS_MAX])
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _within(seconds: float) -> float:
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX)
