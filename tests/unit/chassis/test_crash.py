"""A process dies where DULY_CRASH_AT says, and nowhere else; without it a point does nothing."""

import subprocess
import sys
from signal import SIGKILL

import pytest

from duly_chassis import crash

PROGRAM = """
import sys
from duly_chassis import crash
crash.arm({crash.VARIABLE: sys.argv[1]} if sys.argv[1] else {})
for _ in range(3):
    for point in ("ack-before", "ack-after"):
        crash.at(point)
        print(point, flush=True)
"""


def died(told: str) -> tuple[int, list[str]]:
    """Run a process that comes to two points three times; return its exit code and what it got done."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, told], capture_output=True, check=False, text=True, timeout=60
    )
    return done.returncode, done.stdout.split()


def test_process_dies_by_sigkill_the_nth_time_it_comes_to_its_point() -> None:
    assert died("ack-after:1") == (-SIGKILL, ["ack-before"])
    assert died("ack-before:2") == (-SIGKILL, ["ack-before", "ack-after"])


def test_process_lives_on_where_nothing_is_armed_or_the_point_is_not_reached_so_often() -> None:
    assert died("") == (0, ["ack-before", "ack-after"] * 3)
    assert died("ack-after:4")[0] == 0


@pytest.mark.parametrize("told", ["nowhere:1", "ack-before", "ack-before:0", "ack-before:-1", "ack-before:x", ":1"])
def test_start_is_refused_in_one_sentence_for_an_unknown_point_or_a_bad_number(told: str) -> None:
    with pytest.raises(crash.BadPoint, match=r"^DULY_CRASH_AT is for fault tests and wants point:number, "):
        crash.arm({crash.VARIABLE: told})

    assert crash.ARMED.point is None
