"""Retry-After in every form that providers send (RELIABILITY 6)."""

from datetime import UTC, datetime

import pytest

from messenger.http.retry_after import http_date, retry_after_s

NOW = datetime(2026, 3, 17, 8, 0, 0, tzinfo=UTC)
FORMS: list[tuple[str | None, float | None]] = [
    ("30", 30.0),
    (" 30 ", 30.0),
    ("0", 0.0),
    ("-5", 0.0),
    ("2.5", 2.5),
    ("86400", 86_400.0),
    ("86401", 86_400.0),
    ("999999999999999999", 86_400.0),
    ("Tue, 17 Mar 2026 08:01:30 GMT", 90.0),
    ("Tuesday, 17-Mar-26 08:01:30 GMT", 90.0),
    ("Tue Mar 17 08:01:30 2026", 90.0),
    ("Tue, 17 Mar 2026 09:01:30 +0100", 90.0),
    ("Tue, 17 Mar 2026 07:00:00 GMT", 0.0),
    ("Thu, 19 Mar 2026 08:00:00 GMT", 86_400.0),
    (None, None),
    ("", None),
    ("soon", None),
    ("nan", None),
    ("inf", None),
    ("1e3", None),
    ("٣٠", None),
    ("30 seconds", None),
    ("99, 99 Mar 99999 99:99:99 GMT", None),
    ("9" * 5_000, None),
]


@pytest.mark.parametrize(("value", "seconds"), FORMS, ids=[str(value)[:40] for value, _ in FORMS])
def test_retry_after_is_read_as_seconds_between_nothing_and_a_day(value: str | None, seconds: float | None) -> None:
    """I10: negative, fractional, a date, a day long and longer; what cannot be read is no wish."""
    assert seconds == retry_after_s(value, NOW)


def test_date_of_an_answer_is_read_or_none() -> None:
    assert http_date("Tue, 17 Mar 2026 08:00:00 GMT") == NOW
    assert http_date(None) is None
