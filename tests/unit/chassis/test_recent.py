"""How much poison is too much: RELIABILITY 5.11."""

from types import SimpleNamespace

import pytest

from duly_chassis.recent import Recent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Hold the machine clock in hand."""
    now = [1000.0]
    monkeypatch.setattr("duly_chassis.recent.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def test_twenty_in_a_minute_pass_and_the_next_does_not(clock: list[float]) -> None:
    recent = Recent()
    assert not recent.too_much(20, 20)
    recent.note(20, 20)
    assert recent.too_much(1, 1)
    clock[0] += 61
    assert not recent.too_much(1, 1)


def test_good_batch_passes_however_bad_the_minute_was() -> None:
    recent = Recent()
    recent.note(20, 20)

    assert not recent.too_much(0, 100)


def test_share_of_a_thousand_counts_only_when_there_are_a_thousand(clock: list[float]) -> None:
    """5 % of the last 1,000 records; 20 bad ones a minute do not hide from it."""
    recent = Recent()
    for _ in range(9):
        recent.note(5, 100)
        clock[0] += 61
    assert not recent.too_much(5, 100)
    assert recent.too_much(6, 100)
    assert not Recent().too_much(20, 300)


def test_what_is_longer_ago_than_a_thousand_records_is_forgotten(clock: list[float]) -> None:
    recent = Recent()
    for _ in range(20):
        recent.note(4, 100)
        clock[0] += 61
    for _ in range(10):
        recent.note(0, 100)

    assert sum(number for _, number in recent._thousand) == 1000
    assert not recent.too_much(20, 100)


def test_one_batch_over_the_limit_is_held_before_anything_was_noted() -> None:
    assert Recent().too_much(21, 2000)
    assert not Recent().too_much(20, 2000)
