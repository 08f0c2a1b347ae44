"""Duly under the whole campaign: everything killed with -9 while the mail server lies."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import run
from tests.faults.driving import Campaign

LEARNERS = 200
KILLS = 4


@pytest.fixture(name="keep")
def keep_fixture() -> Iterator[Path]:
    """Make a folder that others may enter too: pytest's own are closed to the user PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="duly-faults-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.campaign
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [20131001])
def test_replay_loses_and_doubles_nothing_when_all_of_it_is_killed_and_the_server_lies(keep: Path, seed: int) -> None:
    """I1, I2, I3 and I4 under kills, refusals and lost answers; a longer run: `make faults`."""
    text, broken = run(Campaign(seed=seed, keep=keep, learners=LEARNERS, kills=KILLS, seconds_max=1_000))

    assert not broken, text
