"""A life from the nursery is a process of its own: its output, its exit code, its death, its end with the rig."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.faults.live.nursery import Child, Nursery

WITHIN_S = 20.0


@pytest.fixture(name="nursery")
def nursery_fixture() -> Iterator[Nursery]:
    nursery = Nursery(["json"])
    yield nursery
    nursery.close()


def code(child: Child) -> int | None:
    """Wait for the end of a life."""
    deadline = time.monotonic() + WITHIN_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return child.poll()


def sleeper(nursery: Nursery, folder: Path) -> Child:
    """Begin a life that ends only when it is ended."""
    return nursery.start("http.server", ["0", "--bind", "127.0.0.1"], {}, folder / "out", folder / "err")


def test_life_has_its_own_words_output_and_exit_code(nursery: Nursery, tmp_path: Path) -> None:
    given = tmp_path / "given.json"
    given.write_text('{"one":1}', encoding="utf-8")
    good = nursery.start("json.tool", ["--compact", str(given)], {}, tmp_path / "out", tmp_path / "err")
    bad = nursery.start("json.tool", [str(tmp_path / "none")], {}, tmp_path / "out2", tmp_path / "err2")

    assert (code(good), code(bad)) == (0, 2)
    assert (tmp_path / "out").read_text(encoding="utf-8") == '{"one":1}\n'
    assert "No such file" in (tmp_path / "err2").read_text(encoding="utf-8")


def test_life_leads_a_session_of_its_own(nursery: Nursery, tmp_path: Path) -> None:
    child = sleeper(nursery, tmp_path)
    deadline = time.monotonic() + WITHIN_S
    while os.getsid(child.pid) != child.pid and time.monotonic() < deadline:
        time.sleep(0.01)  # it is told of as soon as it is forked, and does so next

    assert os.getsid(child.pid) == child.pid


def test_life_dies_of_a_signal_as_any_process_does(nursery: Nursery, tmp_path: Path) -> None:
    child = sleeper(nursery, tmp_path)
    os.kill(child.pid, signal.SIGKILL)

    assert code(child) == -signal.SIGKILL


def test_life_ends_with_the_nursery(nursery: Nursery, tmp_path: Path) -> None:
    life = psutil.Process(sleeper(nursery, tmp_path).pid)
    nursery.close()

    gone, _ = psutil.wait_procs([life], timeout=WITHIN_S)
    assert gone == [life]
