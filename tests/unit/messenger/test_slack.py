"""Slack at the wire: where a post goes, what each answer means, and what is found again."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import pytest

from duly_local import accept_log
from duly_local.lies import Lie, Lies
from duly_local.slack_fake import serving
from duly_local.slack_methods import POST, SlackFake
from duly_local.slack_state import GENERAL, OLD, SCOPES, Workspace
from messenger import slack_people, slack_readback
from messenger.channel import (
    Accepted,
    Answer,
    Found,
    InDoubt,
    Letter,
    NotAsked,
    Note,
    NotThere,
    RefusedForGood,
    RefusedForNow,
    Sought,
    Unclear,
)
from messenger.http_client import ANSWER_BYTES_MAX
from messenger.slack import SlackChannel, escaped
from messenger.slack_client import SlackClient, SlackSettings, api_url
from tests.unit.messenger.gates import open_gate
from tests.unit.messenger.scripted_http import Act, ScriptedHttp, said, scripted_http

TOKEN = "xoxb-1"  # noqa: S105 - nobody's
BEGUN = datetime.now(UTC)
ANN = "Ann@learners.example"
BLOCKS = ({"type": "section", "text": {"type": "plain_text", "text": "due"}}, {"type": "divider"})


def a_letter(to: str = ANN, text: str = "due <!channel> & soon") -> Letter:
    return Letter(uuid4(), "", to, note=Note("acme", "course-7", "14", text, BLOCKS))


def sought(letter: Letter) -> Sought:
    return Sought("acme", letter.outreach_id, letter.recipient, BEGUN)


@asynccontextmanager
async def fake_slack(
    folder: Path, lies: Lies | None = None, **rest: Any
) -> AsyncIterator[tuple[SlackFake, SlackChannel]]:
    """Run a fake and a channel that talks to it."""
    async with serving(Workspace(folder, token=TOKEN, **rest), lies=lies) as (fake, url):
        channel = SlackChannel(SlackSettings(TOKEN, url, loopback_only=True, answer_timeout_s=1))
        try:
            yield fake, channel
        finally:
            await channel.close()


async def posted(channel: SlackChannel, *letters: Letter) -> list[Answer]:
    return await channel.deliver(letters, open_gate)


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


@pytest.mark.parametrize("scope", ["chat:write", "users:read.email", "im:write"])
async def test_missing_scope_stops_the_account_and_nothing_is_posted(tmp_path: Path, scope: str) -> None:
    """RELIABILITY 6.5, 8: one such answer holds the provider."""
    async with fake_slack(tmp_path, scopes=SCOPES - {scope}) as (_, channel):
        answers = await posted(channel, a_letter())

    assert [RefusedForNow("scope_missing", "missing_scope", scope="account")] == answers
    assert accept_log.read(tmp_path / "accepted.jsonl") == []


async def test_wrong_token_is_refused_before_anything_is_posted(tmp_path: Path) -> None:
    async with serving(Workspace(tmp_path, token="another")) as (fake, url):  # noqa: S106 - nobody's
        channel = SlackChannel(SlackSettings(TOKEN, url, loopback_only=True))
        answers = await posted(channel, a_letter())
        await channel.close()

    assert [RefusedForNow("auth_failed", "invalid_auth", scope="account")] == answers
    assert fake.asked == ["users.lookupByEmail"]


WORDS: list[tuple[str, Answer]] = [
    *(
        (code, RefusedForNow("auth_failed", code, scope="account"))
        for code in ("token_revoked", "token_expired", "account_inactive", "not_authed", "invalid_auth")
    ),
    ("not_in_channel", RefusedForGood("not_in_channel", "not_in_channel", address=True)),
    ("user_disabled", RefusedForGood("user_disabled", "user_disabled", address=True)),
    ("msg_too_long", RefusedForGood("msg_too_long", "msg_too_long")),
    ("invalid_blocks", RefusedForGood("invalid_blocks", "invalid_blocks")),
    ("ratelimited", RefusedForNow("rate_limited", "ratelimited")),
    ("fatal_error", InDoubt("provider_failed", "fatal_error")),
    ("internal_error", InDoubt("provider_failed", "internal_error")),
    ("service_unavailable", InDoubt("provider_failed", "service_unavailable")),
    ("a_word_of_next_year", InDoubt("provider_failed", "a_word_of_next_year")),
]


@pytest.mark.parametrize(("word", "answer"), WORDS, ids=[word for word, _ in WORDS])
async def test_slacks_word_after_the_post_means(tmp_path: Path, word: str, answer: Answer) -> None:
    """RELIABILITY 6.5: 200 with `ok:false`, by its word: token revoked, text too long; an unknown one is doubt."""
    async with fake_slack(tmp_path) as (fake, channel):
        fake.workspace.refuses.append(word)
        answers = await posted(channel, a_letter())

    assert [answer] == answers


async def test_what_slack_would_cut_or_refuse_is_not_posted(tmp_path: Path) -> None:
    """RELIABILITY 6.5: a text over the limit is refused before a byte leaves."""
    long, empty, bare = a_letter(text="x" * 4_001), a_letter(text=""), replace(a_letter(), note=None)
    async with fake_slack(tmp_path) as (fake, channel):
        answers = await posted(channel, long, empty, bare)

    assert [RefusedForGood("msg_too_long"), RefusedForGood("no_text"), RefusedForGood("no_text")] == answers
    assert fake.asked == []


def to_post(act: Act | Callable[[dict[str, Any]], Act]) -> Callable[[bytes], Act]:
    """Script a Slack that is honest but for what it answers to the post."""

    def answer(request: bytes) -> Act:
        head, _, body = request.partition(b"\r\n\r\n")
        if b"users.lookupByEmail" in head:
            return ok(user={"id": "U0000001"})
        if b"conversations.open" in head:
            return ok(channel={"id": "D0000001"})
        return act(json.loads(body)) if callable(act) else act

    return answer


def ok(**rest: Any) -> bytes:
    return said(json.dumps({"ok": True, **rest}).encode())


def no(error: str, status: str = "200 OK", *headers: str) -> bytes:
    return said(json.dumps({"ok": False, "error": error}).encode(), status, *headers)


async def scripted(
    act: Act | Callable[[dict[str, Any]], Act],
) -> tuple[Answer, ScriptedHttp]:
    """Post one letter to this Slack."""
    async with scripted_http(to_post(act)) as http:
        channel = SlackChannel(SlackSettings(TOKEN, http.url, loopback_only=True, answer_timeout_s=0.3))
        (answer,) = await posted(channel, a_letter())
        await channel.close()
    return answer, http


HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
DOUBTFUL: list[tuple[str, Act, Answer]] = [
    ("html", HTML, InDoubt("unexpected_reply", "200")),
    ("text", PLAIN, InDoubt("unexpected_reply")),
    ("no json", said(b"{"), InDoubt("unexpected_reply", "200")),
    ("bytes", said(b"\xff\xfe"), InDoubt("unexpected_reply")),
    ("a list", said(b"[1]"), InDoubt("unexpected_reply")),
    ("deep", said(b"[" * 30_000), InDoubt("unexpected_reply")),
    ("nothing", said(b""), InDoubt("unexpected_reply", "200")),
    ("ok without ts", ok(channel="D0000001"), InDoubt("unexpected_reply", "no_ts")),
    ("ok with another ts", ok(channel="D0000001", ts=5), InDoubt("unexpected_reply", "no_ts")),
    ("ok without channel", ok(ts="1.1"), InDoubt("unexpected_reply", "no_channel")),
    ("another channel", ok(channel="D0000002", ts="1.1"), InDoubt("another_channel")),
    (
        "another message",
        ok(channel="D0000001", ts="1.1", message={"metadata": {"event_payload": {"outreach_id": "x"}}}),
        InDoubt("another_message"),
    ),
    ("ok as a word", said(b'{"ok": "true", "ts": "1.1"}'), InDoubt("provider_failed", "200")),
    ("error as a text", no("Please call ann@learners.example"), InDoubt("provider_failed", "200")),
    ("error with 500", no("missing_scope", "500 No"), InDoubt("provider_failed", "missing_scope")),
    ("503", said(b"<html>", "503 Busy"), InDoubt("unexpected_reply", "503")),
    ("403 of a proxy", said(b"<html>", "403 No"), InDoubt("unexpected_reply", "403")),
    ("redirect", said(b"", "302 Found", "Location: https://slack.example/"), InDoubt("redirected")),
    ("too long", said(b'{"ok": true, "x": "%b"}' % (b"x" * ANSWER_BYTES_MAX)), InDoubt("answer_too_long")),
    ("cut", "cut", InDoubt("connection_lost")),
    ("silence", "silence", InDoubt("timeout")),
]


@pytest.mark.parametrize(("act", "answer"), [case[1:] for case in DOUBTFUL], ids=[case[0] for case in DOUBTFUL])
async def test_message_is_in_doubt_and_posted_once_when_slack_answers(act: Act, answer: Answer) -> None:
    """I2, RELIABILITY 6.5: HTML, an unknown word, another id, a redirect, or nothing; never posted again blindly."""
    found, http = await scripted(act)

    assert answer == found
    assert [b"POST" in one.partition(b"\r\n")[0] for one in http.requests] == [True] * 3


CERTAIN: list[tuple[str, Act, Answer]] = [
    ("error with 403", no("token_revoked", "403 No"), RefusedForNow("auth_failed", "token_revoked", scope="account")),
    ("429", said(b"", "429 Slow", "Retry-After: 30"), RefusedForNow("rate_limited", "429", 30.0)),
    ("429 fraction", said(b"", "429 Slow", "Retry-After: 2.5"), RefusedForNow("rate_limited", "429", 2.5)),
    ("429 negative", said(b"", "429 Slow", "Retry-After: -1"), RefusedForNow("rate_limited", "429", 0.0)),
    ("429 zero", said(b"", "429 Slow", "Retry-After: 0"), RefusedForNow("rate_limited", "429", 0.0)),
    ("429 a day", said(b"", "429 Slow", "Retry-After: 86400"), RefusedForNow("rate_limited", "429", 86_400.0)),
    ("429 a week", said(b"", "429 Slow", "Retry-After: 604800"), RefusedForNow("rate_limited", "429", 86_400.0)),
    ("429 silent", said(b"", "429 Slow"), RefusedForNow("rate_limited", "429")),
    (
        "429 date",
        said(b"", "429 Slow", "Date: Tue, 17 Mar 2026 08:00:00 GMT", "Retry-After: Tue, 17 Mar 2026 08:01:30 GMT"),
        RefusedForNow("rate_limited", "429", 90.0),
    ),
]


@pytest.mark.parametrize(("act", "answer"), [case[1:] for case in CERTAIN], ids=[case[0] for case in CERTAIN])
async def test_refusal_is_certain_when_slack_answers(act: Act, answer: Answer) -> None:
    """I10: Retry-After in every form, a day at most."""
    assert answer == (await scripted(act))[0]


FIRST: list[tuple[str, Act, Answer]] = [
    ("cut", "cut", RefusedForNow("connection_lost")),
    ("500", said(b"<html>", "500 No"), RefusedForNow("provider_failed", "500")),
    ("html", HTML, RefusedForNow("provider_failed", "200")),
    ("429", said(b"", "429 Slow", "Retry-After: 30"), RefusedForNow("rate_limited", "429", 30.0, "account")),
    ("fatal", no("fatal_error"), RefusedForNow("provider_failed", "fatal_error")),
    ("nothing", said(b""), RefusedForNow("provider_failed", "200")),
    ("silence", "silence", RefusedForNow("timeout")),
    ("revoked", no("token_revoked"), RefusedForNow("auth_failed", "token_revoked", scope="account")),
    ("no scope", no("missing_scope"), RefusedForNow("scope_missing", "missing_scope", scope="account")),
    ("no user", ok(), RefusedForNow("unexpected_reply", "no_user")),
    ("a bad user", ok(user={"id": "../x"}), RefusedForNow("unexpected_reply", "no_user")),
    ("another user", ok(user={"id": "U0000001", "profile": {"email": "bob@learners.example"}}),
     RefusedForNow("unexpected_reply", "another_user")),
    ("redirect", said(b"", "307 Go", "Location: /api/chat.postMessage"), RefusedForNow("redirected")),
]  # fmt: skip


@pytest.mark.parametrize(("act", "answer"), [case[1:] for case in FIRST], ids=[case[0] for case in FIRST])
async def test_message_is_refused_for_now_when_asking_for_the_person_fails(act: Act, answer: Answer) -> None:
    """Nothing was posted, so there is no doubt."""
    async with scripted_http(act) as http:
        channel = SlackChannel(SlackSettings(TOKEN, http.url, loopback_only=True, prepare_timeout_s=1))
        answers = await posted(channel, a_letter())
        await channel.close()

    assert [answer] == answers
    assert len(http.requests) == 1


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


LETTER = a_letter()
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


async def test_seven_forms_of_retry_after_are_all_obeyed(tmp_path: Path) -> None:
    """I10: each is a wish of so many seconds, or none."""
    forms = [lie for lie in Lie if lie.value.startswith("429")]
    async with fake_slack(tmp_path) as (fake, channel):
        waits = []
        for form in forms:
            fake.liar.lies.planned.append(form)
            (answer,) = await posted(channel, a_letter())
            assert isinstance(answer, RefusedForNow)
            waits.append((form, answer.after_s))
    told = dict(waits)

    assert len(forms) == 7
    assert 0 <= (told.pop(Lie.TOO_MANY_DATE) or -1.0) <= 2
    assert list(told.values()) == [1.0, 0.0, 0.0, 0.5, 86_400.0, None]
