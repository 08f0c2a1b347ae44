"""Run every test in two halves at once (`make test`): the campaigns, which mostly wait, beside all others.

Both must pass. What the campaigns say is shown when they have ended; Ctrl-C ends both.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parents[1]
PYTEST = (sys.executable, "-m", "pytest", "-q")
CAMPAIGNS = ("-m", "campaign and not peer", "--durations=0", "--durations-min=10")
OTHERS = ("-m", "not campaign and not peer")
NOTHING_COLLECTED = 5
STOPPED_WITHIN_S = 60.0


def main() -> int:
    """Run both halves of the folders given; the exit code is the first that is not 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.halves", description=__doc__)
    parser.add_argument("paths", nargs="*", default=["tests"], help="what to test; default: tests")
    paths = parser.parse_args().paths
    with tempfile.TemporaryFile() as said:
        started = time.monotonic()
        campaigns = subprocess.Popen([*PYTEST, *CAMPAIGNS, *paths], stdout=said, stderr=subprocess.STDOUT, cwd=PROJECT)
        try:
            others = _code(subprocess.run([*PYTEST, *OTHERS, *paths], cwd=PROJECT, check=False).returncode)
            _say(f"The campaigns go on; {time.monotonic() - started:.0f} s so far.\n")
            campaigned = _code(campaigns.wait())
        finally:
            _end(campaigns)
            _show(said)
    _say(f"{_word(others)}: all but the campaigns. {_word(campaigned)}: the campaigns. ")
    _say(f"{time.monotonic() - started:.0f} s.\n")
    return others or campaigned


def _code(code: int) -> int:
    return 0 if code == NOTHING_COLLECTED else code


def _word(code: int) -> str:
    return "Failed" if code else "Passed"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End what still runs as Ctrl-C does, so that it ends its own servers."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _show(said: IO[bytes]) -> None:
    said.seek(0)
    _say(said.read().decode(errors="replace"))


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
