"""Slack at the wire: where a post goes, and what of it anybody sees."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from duly_local import accept_log
from duly_local.slack_methods import POST
from duly_local.slack_state import GENERAL, OLD
from messenger.channel import (
    Accepted,
    Answer,
    RefusedForGood,
    RefusedForNow,
)
from messenger.slack import people as slack_people
from messenger.slack.channel import SlackChannel, escaped
from messenger.slack.client import SlackClient, SlackSettings, api_url
from tests.unit.messenger.given_slack import (
    ANN,
    TOKEN,
    a_letter,
    fake_slack,
    ok,
    posted,
    scripted,
)
from tests.unit.messenger.scripted_http import Act


async def test_message_goes_to_the_direct_message_of_whoever_has_the_address(tmp_path: Path) -> None:
    async with fake_slack(tmp_path) as (fake, channel):
        letter = a_letter()
        answers = await posted(channel, letter)
    (message,) = accept_log.read(tmp_path / "accepted.jsonl")

    assert fake.asked == ["users.lookupByEmail", "conversations.open", POST]
    assert [Accepted(f"{message['channel']}/{message['ts']}")] == answers
    assert message["to"] == ANN.casefold()
    assert message["metadata"] == {
        "event_type": "duly_outreach",
        "event_payload": {"outreach_id": str(letter.outreach_id), "about": "course-7", "step": "14"},
    }
    assert message["client_msg_id"] == str(letter.outreach_id)
    assert [block.get("block_id") for block in message["blocks"]] == [f"duly-{letter.outreach_id}", None]


async def test_text_of_a_message_mentions_nobody(tmp_path: Path) -> None:
    """S-34: the fallback is escaped, blocks are plain text."""
    async with fake_slack(tmp_path) as (_, channel):
        await posted(channel, a_letter())

    assert accept_log.read(tmp_path / "accepted.jsonl")[0]["text"] == "due &lt;!channel&gt; &amp; soon"
    assert escaped("<@U123> & <!here>") == "&lt;@U123&gt; &amp; &lt;!here&gt;"


@pytest.mark.parametrize("address", ["#general", GENERAL])
async def test_message_goes_to_a_channel_by_its_name_or_id_without_asking_for_anybody(
    tmp_path: Path, address: str
) -> None:
    async with fake_slack(tmp_path) as (fake, channel):
        (answer,) = await posted(channel, a_letter(address))

    assert isinstance(answer, Accepted)
    assert answer.provider_id.startswith(f"{GENERAL}/")
    assert fake.asked == [POST]


async def test_place_of_a_person_is_asked_for_once_and_kept_for_a_bounded_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake_slack(tmp_path) as (fake, channel):
        for to in (ANN, ANN.upper(), "bob@learners.example", ANN):
            await posted(channel, a_letter(to))
        known = fake.asked.count("users.lookupByEmail")
        monkeypatch.setattr(slack_people, "KEPT_S_MAX", -1.0)
        await posted(channel, a_letter())
        again = fake.asked.count("users.lookupByEmail")

    assert (known, again) == (2, 3)


async def test_no_more_places_are_kept_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_people, "KEPT_MAX", 2)
    async with fake_slack(tmp_path) as (fake, channel):
        for to in ("a@x.example", "b@x.example", "c@x.example", "a@x.example"):
            await posted(channel, a_letter(to))

    assert fake.asked.count("users.lookupByEmail") == 4


ADDRESSES: list[tuple[str, dict[str, Any], Answer]] = [
    (ANN, {"unknown": {ANN.casefold()}}, RefusedForGood("users_not_found", "users_not_found", address=True)),
    (ANN, {"gone": {ANN.casefold()}}, RefusedForGood("user_deactivated", "user_deactivated", address=True)),
    (OLD, {}, RefusedForGood("is_archived", "is_archived", address=True)),
    ("C0NOWHERE0", {}, RefusedForGood("channel_not_found", "channel_not_found", address=True)),
    ("ann at home", {}, RefusedForGood("address_invalid", address=True)),
    ("ann@x.example, bob@x.example", {}, RefusedForGood("address_invalid", address=True)),
]


@pytest.mark.parametrize(("to", "workspace", "answer"), ADDRESSES, ids=[str(one[2].code) for one in ADDRESSES])  # type: ignore[union-attr]
async def test_address_that_leads_to_nobody_is_told_as_such_and_nothing_is_posted(
    tmp_path: Path, to: str, workspace: dict[str, Any], answer: Answer
) -> None:
    """RELIABILITY 6.5: user not found, deactivated, channel archived, unknown."""
    async with fake_slack(tmp_path, **workspace) as (_, channel):
        answers = await posted(channel, a_letter(to))

    assert [answer] == answers
    assert accept_log.read(tmp_path / "accepted.jsonl") == []


async def test_what_slack_would_cut_or_refuse_is_not_posted(tmp_path: Path) -> None:
    """RELIABILITY 6.5: a text over the limit is refused before a byte leaves."""
    long, empty, bare = a_letter(text="x" * 4_001), a_letter(text=""), replace(a_letter(), note=None)
    async with fake_slack(tmp_path) as (fake, channel):
        answers = await posted(channel, long, empty, bare)

    assert [RefusedForGood("msg_too_long"), RefusedForGood("no_text"), RefusedForGood("no_text")] == answers
    assert fake.asked == []


async def test_what_is_asked_stands_in_the_body_and_the_token_in_a_header_alone() -> None:
    def answer(message: dict[str, Any]) -> Act:
        assert TOKEN not in json.dumps(message)
        return ok(channel="D0000001", ts="1.000001")

    found, http = await scripted(answer)
    lookup = http.requests[0].decode()

    assert Accepted("D0000001/1.000001") == found
    assert lookup.startswith("POST /api/users.lookupByEmail HTTP/1.1")
    assert parse_qs(lookup.partition("\r\n\r\n")[2]) == {"email": [ANN]}
    assert all(f"Authorization: Bearer {TOKEN}".encode() in one for one in http.requests)


async def test_channel_that_was_closed_posts_nothing_any_more(tmp_path: Path) -> None:
    """The SDK would open a session of its own, without the gate."""
    async with fake_slack(tmp_path) as (fake, channel):
        await channel.close()
        answers = await posted(channel, a_letter("#general"))

    assert [RefusedForNow("closing")] == answers
    assert fake.asked == []


def test_proxy_of_the_environment_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    channel = SlackChannel(SlackSettings(TOKEN))
    client = channel._client

    assert isinstance(client, SlackClient)
    assert client.proxy is None


def test_stand_in_may_be_named_without_the_path_of_the_methods() -> None:
    assert api_url("http://127.0.0.1:4100") == "http://127.0.0.1:4100/api/"
    assert api_url("http://127.0.0.1:4100/api") == "http://127.0.0.1:4100/api/"
    assert api_url("https://slack.com/api/") == "https://slack.com/api/"
