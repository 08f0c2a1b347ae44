"""The port's own words: what stays the same at every attempt, and what never shows."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from messenger.channel import Bounds, Letter, Note, Sought, short_token

ID = UUID(int=7)


def test_token_is_the_same_at_every_attempt_and_another_for_another_tenant() -> None:
    assert short_token("acme", ID) == short_token("acme", ID) == "BIJPJRMU"
    assert short_token("bolt", ID) != short_token("acme", ID)


def test_first_check_comes_after_all_that_was_declared() -> None:
    """RELIABILITY 6.7."""
    assert Bounds(10, 20, 15).first_check_after == timedelta(seconds=45)


def test_address_and_text_are_not_shown_when_a_letter_is_written_out() -> None:
    """SECURITY: no personal data in logs or errors."""
    note = Note("acme", "a1", "7", "Dear Ada", ({"text": "Dear Ada"},))
    letter = Letter(ID, "+15550100", "+447400000001", note=note)
    sought = Sought("acme", ID, "+447400000001", datetime(2026, 11, 2, tzinfo=UTC))

    shown = f"{letter} {sought}"
    assert "Ada" not in shown
    assert "+4474" not in shown
    assert sought.token == short_token("acme", ID)
