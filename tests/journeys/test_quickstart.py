"""The quickstart works as it is written: a stranger's first quarter of an hour, command by command."""

import os
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.journeys.command import environment
from tests.journeys.walkthrough import as_shown, blocks, reader, walk

pytestmark = [pytest.mark.connected, pytest.mark.timeout(400)]

QUICKSTART = ROOT / "docs" / "quickstart.md"
DONE_ALREADY = ("make setup", "export PATH=")


def test_quickstart_does_what_it_says(place: Path) -> None:
    for name in ("docs", "policies"):
        (place / name).symlink_to(ROOT / name)
    paths = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    shown = [block for block in blocks(QUICKSTART) if block.language == "sh"]
    with reader(place, environment({}) | paths) as walking:
        number = walk(QUICKSTART, walking, DONE_ALREADY)

    assert number == sum(not one.startswith(DONE_ALREADY) for block in shown for one in block.commands) > 0


def test_answer_that_differs_from_what_is_shown_is_noticed() -> None:
    answer = "Facts received\n  training  Fire safety\n  due at  2026\nNext\n  nothing more\n"

    assert as_shown(answer, "Facts received\n  training…Fire…\n  …\nNext\n  nothing…")
    assert as_shown(answer, "…\nNext\n  nothing more")
    assert not as_shown(answer, "Facts received\nNext\n  nothing more")
    assert not as_shown(answer, "Next\n  everything…")
