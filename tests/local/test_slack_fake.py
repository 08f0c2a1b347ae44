"""The fake Slack as a process: loopback only, what it took outlives a kill, and it lies as it is told."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from duly_local import accept_log

ENDS_WITHIN_S = 10


@contextmanager
def running(folder: Path, *options: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Run one and give its address; it is killed at the end, if it has not ended before."""
    command = [sys.executable, "-m", "duly_local.slack_fake", "--dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def ask(url: str, method: str, **said: Any) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer xoxb-any"}
    request = urllib.request.Request(f"{url}/api/{method}", json.dumps(said).encode(), headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=ENDS_WITHIN_S) as answer:  # noqa: S310 - loopback
        found: dict[str, Any] = json.load(answer)
    return found


def direct_message(url: str) -> str:
    user = ask(url, "users.lookupByEmail", email="ann@learners.example")["user"]["id"]
    return str(ask(url, "conversations.open", users=user)["channel"]["id"])


def test_fake_knows_after_a_kill_what_it_took_and_whom_it_met(tmp_path: Path) -> None:
    metadata = {"event_type": "duly_outreach", "event_payload": {"outreach_id": "x"}}
    with running(tmp_path) as (url, process):
        place = direct_message(url)
        posted = ask(url, "chat.postMessage", channel=place, text="due", metadata=metadata)
        process.kill()
        process.wait(ENDS_WITHIN_S)
    with (tmp_path / "accepted.jsonl").open("ab") as log:
        log.write(b'{"half": ')
    with running(tmp_path) as (url, _):
        bare = ask(url, "conversations.history", channel=place)["messages"]
        whole = ask(url, "conversations.history", channel=place, include_all_metadata=True)["messages"]

    assert url.startswith("http://127.0.0.1:")
    assert [message["ts"] for message in bare] == [posted["ts"]]
    assert "metadata" not in bare[0]
    assert whole[0]["metadata"] == metadata
    assert [one["to"] for one in accept_log.read(tmp_path / "accepted.jsonl")] == ["ann@learners.example"]


def test_fake_shows_its_history_page_by_page_the_newest_first_and_from_a_moment_on(tmp_path: Path) -> None:
    with running(tmp_path) as (url, _):
        stamps = [ask(url, "chat.postMessage", channel="#general", text=str(one))["ts"] for one in range(5)]
        first = ask(url, "conversations.history", channel="C0GENERAL0", limit=3)
        cursor = first["response_metadata"]["next_cursor"]
        last = ask(url, "conversations.history", channel="C0GENERAL0", limit=3, cursor=cursor)
        later = ask(url, "conversations.history", channel="C0GENERAL0", oldest=stamps[2])

    pages = [message["ts"] for page in (first, last) for message in page["messages"]]
    assert pages == stamps[::-1]
    assert (first["has_more"], last["has_more"]) == (True, False)
    assert [message["ts"] for message in later["messages"]] == stamps[:2:-1]


def test_fake_lies_by_its_shares_and_ends_when_it_is_told(tmp_path: Path) -> None:
    with running(tmp_path, "--lies", "500-after=1", "--gone", "ann@learners.example") as (url, process):
        with pytest.raises(urllib.error.HTTPError, match="500"):
            ask(url, "chat.postMessage", channel="#general", text="due")
        deleted = ask(url, "users.lookupByEmail", email="ann@learners.example")["user"]["deleted"]
        os.kill(process.pid, signal.SIGTERM)

        assert process.wait(ENDS_WITHIN_S) == 0
    assert deleted is True
    assert len(accept_log.read(tmp_path / "accepted.jsonl")) == 1
