"""One round of every campaign, with the counts of the CI column (RELIABILITY.md section 9), on real processes."""

import secrets

import pytest

from tests.faults.live.__main__ import ROUND_S_MAX, one_round
from tests.faults.live.campaigns import PROVED


@pytest.mark.campaign
@pytest.mark.timeout(ROUND_S_MAX + 60)
@pytest.mark.parametrize("name", PROVED)
def test_services_keep_their_promises_under_a_campaign(name: str) -> None:
    """I1, I2, I3, I4, I8, I9 and I10; the report names the seed that repeats it."""
    outcome = one_round(name, secrets.randbelow(1_000_000))

    assert outcome.broken == [], outcome.text
