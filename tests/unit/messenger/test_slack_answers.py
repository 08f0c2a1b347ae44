"""Slack's answers at the wire: what is doubt, what is certain, and how long to wait."""

from pathlib import Path

import pytest

from duly_local import accept_log
from duly_local.lies import Lie
from duly_local.slack_fake import serving
from duly_local.slack_state import SCOPES, Workspace
from messenger.channel import (
    Answer,
    InDoubt,
    RefusedForGood,
    RefusedForNow,
)
from messenger.http.client import ANSWER_BYTES_MAX
from messenger.slack.channel import SlackChannel
from messenger.slack.client import SlackSettings
from tests.unit.messenger.given_slack import HTML, PLAIN, TOKEN, a_letter, fake_slack, no, ok, posted, scripted
from tests.unit.messenger.scripted_http import Act, said, scripted_http


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
