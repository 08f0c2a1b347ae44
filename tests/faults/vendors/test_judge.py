"""The judge of Slack's and Twilio's logs sees every planted fault, and the lying providers lie as they say."""

import asyncio
import json
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.faults.live.programs import until
from tests.faults.logs import read
from tests.faults.processes import vendor_server
from tests.faults.vendors.judge import judge, number_of
from tests.faults.vendors.lies import ACCEPTS, INSIDE, LATE_S, Lie, Lies, Shares
from tests.faults.vendors.slack import place_of
from tests.oracle.oulad import Assignment, Truth

AT = datetime(2013, 11, 1, 9, tzinfo=UTC)
ADA, BOB = "learner7@learners.example", "learner11391@learners.example"
Entries = list[dict[str, Any]]


def truth() -> Truth:
    """Two learners, one training, three reminders."""
    abouts = {ADA: "AAA-2013J-1752-7", BOB: "AAA-2013J-1752-11391"}
    return Truth(
        reminders={(ADA, abouts[ADA], "30"): AT, (ADA, abouts[ADA], "14"): AT, (BOB, abouts[BOB], "3"): AT},
        assignments={about: Assignment(about, to, AT, AT, AT, "due") for to, about in abouts.items()},
        registrations_without_day=0,
        assessments_without_day=0,
    )


def chats() -> Entries:
    return [
        {
            "place": place_of(to),
            "metadata": {
                "event_type": "duly_outreach",
                "event_payload": {"outreach_id": f"o{number}", "about": about, "step": step},
            },
        }
        for number, (to, about, step) in enumerate(truth().reminders)
    ]


def texts() -> Entries:
    return [
        {"to": number_of(to), "body": f"Duly: AAA 2013J TMA 1752 is due soon. TOKEN{number}"}
        for number, (to, _, _) in enumerate(truth().reminders)
    ]


def misnamed(entries: Entries) -> None:
    for entry in entries:
        if "metadata" in entry:
            entry["metadata"]["event_payload"]["about"] = "AAA-2013J-1752-8"
        else:
            entry["body"] = entry["body"].replace("1752", "1753")


def same_name(entries: Entries) -> None:
    for entry in entries:
        if "metadata" in entry:
            entry["metadata"]["event_payload"]["outreach_id"] = "o1"
        else:
            entry["body"] = entry["body"].rpartition(" ")[0] + " TOKEN"


def elsewhere(entries: Entries) -> None:
    entries[2] |= {"place": place_of("somebody@else.example"), "to": "+447400000099"}


def unmarked(entries: Entries) -> None:
    for entry in entries:
        if "metadata" in entry:
            entry["metadata"]["event_payload"]["outreach_id"] = ""
        else:
            entry["body"] = entry["body"].rpartition(" ")[0] + " T"


PLANTED: dict[str, tuple[Callable[[Entries], object], set[str]]] = {
    "lost": (lambda entries: entries.pop(), {"lost"}),
    "doubled": (lambda entries: entries.append(entries[0]), {"doubled"}),
    "another person": (elsewhere, {"lost", "wrong"}),
    "another training": (misnamed, {"lost", "wrong"}),
    "one name for several": (same_name, {"shared_id", "doubled"}),
    "no name": (unmarked, {"unmarked", "no_token"}),
}


@pytest.mark.parametrize("channel", ["slack", "sms"])
@pytest.mark.parametrize("planted", [None, *PLANTED])
def test_judge_finds_what_was_planted_and_nothing_else(channel: str, planted: str | None, tmp_path: Path) -> None:
    """RELIABILITY 9 (c)."""
    entries = json.loads(json.dumps(chats() if channel == "slack" else texts()))
    plant, kinds = PLANTED[planted] if planted else (lambda _entries: None, set())
    plant(entries)
    log = tmp_path / "accepts.jsonl"
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="ascii")

    found = {violation.kind for violation in judge(channel, truth(), log, [])}
    assert bool(found & kinds) == bool(kinds)
    assert found <= kinds | {"doubled", "shared_id"} if kinds else not found


def test_judge_counts_a_parked_message_as_broken(tmp_path: Path) -> None:
    log = tmp_path / "accepts.jsonl"
    log.write_text("".join(json.dumps(entry) + "\n" for entry in chats()), encoding="ascii")

    assert [one.kind for one in judge("slack", truth(), log, [{"to": ADA}])] == ["parked"]


def test_lies_befall_a_message_once_each_and_follow_from_the_seed() -> None:
    def told(seed: int) -> list[Lie | None]:
        lies = Lies(seed, Shares(limit=20, error=30, cut=30, late=10))
        return [lies.about(f"m{number % 20}") for number in range(400)]

    drawn = told(7)
    assert drawn == told(7) != told(8)
    assert set(Lie) < set(drawn)
    for message in range(20):
        lies = [lie for lie in drawn[message::20] if lie]
        assert len(lies) == len(set(lies))


def test_late_message_is_taken_inside_what_duly_is_told() -> None:
    lies = Lies(7, Shares(late=100))
    late_s = [lies.late_s(f"m{number}") for number in range(400)]

    assert 0 <= min(late_s) < 0.1
    assert INSIDE - 0.05 < max(late_s) / LATE_S < INSIDE


def post(url: str, asked: dict[str, str], authorization: str) -> int:
    request = urllib.request.Request(url, urlencode(asked).encode(), {"Authorization": authorization})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310 - our own server
            return int(reply.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.mark.parametrize("channel", ["slack", "sms"])
def test_naive_client_that_tries_again_doubles_messages(channel: str, tmp_path: Path) -> None:
    """RELIABILITY 9 (d): a rig that a naive sender passes is broken."""
    log = tmp_path / "accepts.jsonl"
    with vendor_server(channel, log, 3, Shares(limit=10, error=30, cut=30, late=10)) as port:
        for number in range(60):
            metadata = {"event_type": "x", "event_payload": {"outreach_id": f"o{number}"}}
            asked = {"channel": "D1", "text": "hello", "metadata": json.dumps(metadata)}
            url, authorization = f"http://127.0.0.1:{port}/api/chat.postMessage", "Bearer xoxb-naive"
            if channel == "sms":
                asked = {"To": "+447400000001", "From": "+15005550006", "Body": f"hello {number}"}
                url = f"http://127.0.0.1:{port}/2010-04-01/Accounts/AC1/Messages.json"
                authorization = "Basic " + b64encode(b"AC1:token").decode()
            while post(url, asked, authorization) not in {200, 201}:
                pass
        lied = [entry["deed"] for entry in read(log.with_name(log.name + ".faults"))]
        expected = 60 + sum(deed in {*ACCEPTS, Lie.LATE} for deed in lied)
        asyncio.run(until(lambda: sum(1 for _ in read(log)) >= expected, 20, "what is taken late"))
    assert sum(1 for _ in read(log)) == expected > 60
    assert set(lied) == set(Lie)
