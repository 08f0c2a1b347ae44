"""Duly under the whole campaign: everything killed with -9 while the mail server lies."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import run
from tests.faults.driving import Campaign

LEARNERS = {"mail": 200, "slack": 30, "sms": 30}
"""A doubt that is settled by asking costs a replay more than one that is parked."""
KILLS = {"mail": 4, "slack": 2, "sms": 2}


@pytest.fixture(name="keep")
def keep_fixture() -> Iterator[Path]:
    """Make a folder that others may enter too: pytest's own are closed to the user PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="duly-faults-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.campaign
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("channel", LEARNERS)
def test_replay_loses_and_doubles_nothing_when_all_of_it_is_killed_and_its_provider_lies(
    keep: Path, channel: str
) -> None:
    """I1, I2, I3 and I4 under kills, refusals and lost answers; Slack and SMS park nothing, since both can be asked."""
    given = Campaign(
        seed=20131001,
        keep=keep,
        learners=LEARNERS[channel],
        kills=KILLS[channel],
        channel=channel,
        seconds_max=1_000,
    )
    text, broken = run(given)

    assert not broken, text
