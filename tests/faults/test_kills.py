"""The campaign kills all of a replay and judges it rightly: tried with a small replay of our own."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.campaign import run
from tests.faults.driving import Campaign
from tests.faults.moments import moments
from tests.faults.processes import PROJECT, kill_all, running

FAKE = (sys.executable, "-m", "tests.faults.fake_duly")


def test_campaign_finds_nothing_when_a_replay_keeps_its_promises(tmp_path: Path) -> None:
    campaign = Campaign(seed=3, keep=tmp_path, learners=60, kills=5, duly=FAKE, seconds_max=50)

    text, broken = run(campaign, say=lambda _: None)

    assert broken == []
    assert "kills: 5" in text
    assert "seed: 3" in text


def test_campaign_finds_doubled_mails_when_a_replay_resends_what_is_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_FORGETS", "1")
    campaign = Campaign(seed=3, keep=tmp_path, learners=60, kills=1, duly=FAKE, seconds_max=50)

    _, broken = run(campaign, say=lambda _: None)

    assert {"doubled"} == {violation.kind for violation in broken}


def test_campaign_reports_a_replay_that_fails_at_once(tmp_path: Path) -> None:
    duly = (sys.executable, "-c", "raise SystemExit(5)")
    campaign = Campaign(seed=1, keep=tmp_path, learners=8, kills=1, duly=duly, seconds_max=50)

    _, broken = run(campaign, say=lambda _: None)

    assert {"failed", "no_outcome", "lost"} == {violation.kind for violation in broken}


@pytest.mark.parametrize("trace", ["descent", "mark", "folder"])
def test_kill_all_finds_a_process_by_each_of_its_traces(tmp_path: Path, trace: str) -> None:
    """By descent, by the mark in its environment, or by the state folder it works in: each alone is enough."""
    sleep = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
    starter = (
        "import subprocess, sys, os; env = {} if sys.argv[1] != 'mark' else dict(os.environ);"
        "cwd = sys.argv[2] if sys.argv[1] == 'folder' else '/';"
        "child = subprocess.Popen(sys.argv[3:], env=env, cwd=cwd, start_new_session=True);"
        "sys.exit() if sys.argv[1] != 'descent' else child.wait()"
    )
    command = [sys.executable, "-c", starter, trace, str(tmp_path), *sleep]
    environment = {"FAULT_CAMPAIGN_MARK": "x1y2"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT, env=environment) as replay:
        assert replay.stdout is not None
        replay.stdout.readline()
        if trace != "descent":
            replay.wait(timeout=10)
        mark = "x1y2" if trace == "mark" else "another"
        assert running(replay, tmp_path, mark)

        assert kill_all(replay, tmp_path, mark) >= 1
        assert running(replay, tmp_path, mark) == []


def test_moments_are_spread_over_the_run_and_repeat_from_their_seed() -> None:
    drawn = moments(7, 10)

    assert drawn == moments(7, 10)
    assert drawn != moments(8, 10)
    assert (len(drawn), sum(moment.after_s is not None for moment in drawn)) == (10, 3)
    marks = [moment.progress for moment in drawn if moment.after_s is None]
    assert sorted(marks) == marks
