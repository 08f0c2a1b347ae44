"""`duly replay oulad` sends exactly the expected mails, each at its moment: no more, no fewer."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.checker import check, gather, report
from tests.faults.processes import duly_beside_python, kill_all, replay_command, smtp_server, start_replay
from tests.oracle.folder import SIZES, generate

SECONDS_MAX = 3_000


def generated(*, seed: int, size: str, original_form: bool = False) -> Callable[[Path], Path]:
    return lambda where: generate(where, learners=SIZES[size], seed=seed, original_form=original_form)


FOLDERS: dict[str, Callable[[Path], Path]] = {
    "small": generated(seed=11, size="small"),
    "in the original form": generated(seed=12, size="tiny", original_form=True),
}
if "DULY_OULAD_DIR" in os.environ:
    FOLDERS["real"] = lambda _: Path(os.environ["DULY_OULAD_DIR"]).resolve()


@pytest.fixture(name="place")
def place_fixture() -> Iterator[Path]:
    """Make a folder that others may enter too: pytest's own are closed to the user PostgreSQL runs as."""
    folder = Path(tempfile.mkdtemp(prefix="duly-replay-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.campaign
@pytest.mark.timeout(SECONDS_MAX + 100)
@pytest.mark.parametrize("name", FOLDERS)
def test_replay_sends_exactly_the_expected_mails_when_the_server_is_honest(place: Path, name: str) -> None:
    """Each mail to the right address, about the right assignment and step, with the right Date; none parked."""
    folder = FOLDERS[name](place / "data")
    with smtp_server(place / "accepts") as port:
        outcome = replay(folder, port, place)

    evidence = gather(folder, place / "accepts", place / "accepts.faults", outcome, kills=0)
    assert outcome["parked"] == []
    assert {mail.key: mail.date for mail in evidence.accepted} == evidence.truth.reminders
    assert outcome["assignments"] == len(evidence.truth.assignments)
    broken = check(evidence)
    assert not broken, report(evidence, broken)


def replay(folder: Path, port: int, place: Path) -> dict[str, object]:
    """Run one replay to its end and read the one line it printed."""
    out, err, state = place / "out", place / "err", place / "state"
    command = replay_command((duly_beside_python(),), folder, port, state)
    process = start_replay(command, out, err)
    try:
        code = process.wait(timeout=SECONDS_MAX)
    finally:
        kill_all(process, state, mark="")
    assert code == 0, err.read_text(encoding="utf-8", errors="replace")[-2_000:]
    (line,) = out.read_text(encoding="utf-8").splitlines()
    return dict(json.loads(line))
