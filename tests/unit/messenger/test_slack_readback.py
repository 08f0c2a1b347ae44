"""Slack's history: what is found again of a message in doubt, and what it leaves open."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest

from duly_local.lies import Lies
from duly_local.slack_state import SCOPES
from messenger.channel import (
    Accepted,
    Found,
    NotAsked,
    NotThere,
    Unclear,
)
from messenger.http.client import ANSWER_BYTES_MAX
from messenger.slack import readback as slack_readback
from messenger.slack.channel import SlackChannel
from messenger.slack.client import SlackSettings
from tests.unit.messenger.given_slack import (
    BEGUN,
    HTML,
    LETTER,
    TOKEN,
    a_letter,
    fake_slack,
    no,
    ok,
    posted,
    sought,
    to_post,
)
from tests.unit.messenger.scripted_http import Act, said, scripted_http


async def test_message_is_found_on_a_later_page_and_its_neighbours_are_not_taken_for_it(tmp_path: Path) -> None:
    async with fake_slack(tmp_path) as (fake, channel):
        letters = [a_letter() for _ in range(25)]
        await posted(channel, *letters)
        fake.asked.clear()
        found = await channel.find([sought(letters[0]), sought(a_letter())])
        pages = fake.asked.count("conversations.history")

    assert isinstance(found[0], Accepted)
    assert found[1] == NotThere()
    assert pages == 4


async def test_message_that_cannot_be_seen_yet_is_not_there_and_found_afterwards(tmp_path: Path) -> None:
    """A read-back lag: the declared bound is longer."""
    async with fake_slack(tmp_path, Lies(lag_s=60)) as (fake, channel):
        letter = a_letter()
        await posted(channel, letter)
        before = await channel.find([sought(letter)])
        fake.liar.lies.lag_s = 0
        after = await channel.find([sought(letter)])

    assert before == [NotThere()]
    assert isinstance(after[0], Accepted)
    assert channel.bounds.first_check_after.total_seconds() == 26 + 10  # of a shorter answer than the shipped 10 s


async def test_history_of_an_unknown_place_says_nothing(tmp_path: Path) -> None:
    async with fake_slack(tmp_path, unknown={"bob@learners.example"}) as (fake, channel):
        by_name, gone = await channel.find([sought(a_letter("#general")), sought(a_letter("bob@learners.example"))])
        fake.workspace.scopes = SCOPES - {"im:history"}
        (unread,) = await channel.find([sought(a_letter())])

    assert by_name == Unclear("channel_by_name")
    assert gone == Unclear("users_not_found", "users_not_found")
    assert unread == Unclear("scope_missing", "missing_scope")


def history(*messages: Mapping[str, Any], **rest: Any) -> bytes:
    return ok(messages=list(messages), has_more=False, **rest)


def ours(identity: UUID, stamp: str = "1700000000.000001") -> dict[str, Any]:
    payload = {"outreach_id": str(identity)}
    return {"ts": stamp, "bot_id": "B1", "metadata": {"event_type": "duly_outreach", "event_payload": payload}}


READ: list[tuple[str, Act, Found]] = [
    ("metadata", history(ours(LETTER.outreach_id)), Accepted("D0000001/1700000000.000001")),
    (
        "a block alone",
        history({"ts": "1.1", "bot_id": "B1", "blocks": [{"block_id": f"duly-{LETTER.outreach_id}"}]}),
        Accepted("D0000001/1.1"),
    ),
    ("without ts", history(ours(LETTER.outreach_id, "x")), Unclear("unexpected_reply", "no_ts")),
    ("blind", history({"ts": "1.1", "bot_id": "B1", "text": "due"}), Unclear("unmarked_message")),
    ("people alone", history({"ts": "1.1", "user": "U1", "text": "thanks"}), NotThere()),
    (
        "another event",
        history({**ours(LETTER.outreach_id), "metadata": {"event_type": "x", "event_payload": {"outreach_id": "y"}}}),
        NotThere(),
    ),
    ("nonsense", history({"ts": 1, "blocks": 7, "metadata": "x"}), NotThere()),
    ("no list", ok(messages={}), NotAsked("unexpected_reply", "200")),
    ("more without a cursor", ok(messages=[], has_more=True), Unclear("no_cursor")),
    ("pages for ever", ok(messages=[], has_more=True, response_metadata={"next_cursor": "x"}),
     Unclear("too_many_messages")),
    ("429", said(b"", "429 Slow", "Retry-After: 30"), NotAsked("rate_limited", "429", 30.0)),
    ("500", said(b"", "500 No"), NotAsked("provider_failed", "500")),
    ("revoked", no("token_revoked"), NotAsked("auth_failed", "token_revoked")),
    ("archived", no("is_archived"), Unclear("is_archived", "is_archived")),
    ("html", HTML, NotAsked("provider_failed", "200")),
    ("nothing", said(b""), NotAsked("provider_failed", "200")),
    ("a list", said(b"[]"), NotAsked("provider_failed", "200")),
    ("no scope", no("missing_scope"), Unclear("scope_missing", "missing_scope")),
    ("another word", no("a_word_of_next_year"), NotAsked("provider_failed", "a_word_of_next_year")),
    ("redirect", said(b"", "302 Found", "Location: /api/chat.postMessage"), NotAsked("redirected")),
    ("cut", "cut", NotAsked("connection_lost")),
    ("too long", said(b'{"ok": true, "x": "%b"}' % (b"x" * ANSWER_BYTES_MAX)), Unclear("answer_too_long")),
]  # fmt: skip


@pytest.mark.parametrize(("act", "found"), [case[1:] for case in READ], ids=[case[0] for case in READ])
async def test_history_says_of_a_message_in_doubt(act: Act, found: Found) -> None:
    def answer(request: bytes) -> Act:
        return act if b"conversations.history" in request else to_post("cut")(request)

    async with scripted_http(answer) as http:
        channel = SlackChannel(SlackSettings(TOKEN, http.url, loopback_only=True))
        assert [found] == await channel.find([sought(LETTER)])
        await channel.close()
    asked = parse_qs(http.requests[-1].decode().partition("\r\n\r\n")[2])

    assert len(http.requests) <= 2 + slack_readback.PAGES_MAX
    assert asked["include_all_metadata"] == ["1"]
    assert float(asked["oldest"][0]) == pytest.approx(BEGUN.timestamp() - 60)
    assert "latest" not in asked
