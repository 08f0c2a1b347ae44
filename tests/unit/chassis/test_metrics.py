"""Labels: what does not look like a code of ours could be anything, and is not shown."""

import pytest

from duly_chassis.metrics import code


@pytest.mark.parametrize("value", ["ada@example.org", "Grüße", "a\nb", "x" * 81, "", "+353 1 234567"])
def test_label_that_looks_like_no_code_of_ours_is_other(value: str) -> None:
    """I9: a name that came from outside must not become a series."""
    assert code(value) == "other"


@pytest.mark.parametrize("value", ["id-conflict", "recipient_refused", "short-log", "duly.training.completed.v1"])
def test_label_that_is_a_code_stays(value: str) -> None:
    assert code(value) == value
