"""Teams at the wire: what is posted, what every answer means, and what is never sent or said."""

import json
from typing import Any
from uuid import UUID

import pytest

from messenger.channel import Accepted, Answer, InDoubt, Letter, Note, RefusedForGood, RefusedForNow, Withheld
from messenger.http.client import ANSWER_BYTES_MAX, HttpUrlError
from messenger.teams.answers import Reply, verdict
from messenger.teams.channel import PAYLOAD_BYTES_MAX, TeamsChannel, TeamsSettings, payload
from messenger.words.chat_layout import Part
from messenger.words.teams_card import body
from tests.unit.messenger.gates import open_gate, shut_gate
from tests.unit.messenger.scripted_http import Act, said, scripted_http

QUERY = "api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=a%2Bb%2Fc"
RUN = "x-ms-workflow-run-id: 08584CU00"
TAKEN = said(b"", "202 Accepted", RUN)
OLD = (
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {} with ContextId tcid=1"
)


def a_letter(text: str = "Fire safety is due", tenant: str = "acme", number: int = 1) -> Letter:
    blocks = body([Part("heading", text), Part("button", "Open", "https://lms.example/7")])
    return Letter(UUID(int=number), "", "team", note=Note(tenant, "a1", "14", text, blocks))


async def posted(act: Act, *letters: Letter, gate: Any = open_gate) -> tuple[list[Answer], list[bytes]]:
    """Post these to a webhook that answers so; give the answers and the requests that came."""
    async with scripted_http(act) as http:
        url = f"{http.url}workflows/w1/triggers/manual/paths/invoke?{QUERY}"
        channel = TeamsChannel(TeamsSettings({"acme": url}, loopback_only=True, answer_timeout_s=0.5))
        try:
            return await channel.deliver(letters or (a_letter(),), gate), http.requests
        finally:
            await channel.close()


async def test_card_is_posted_to_the_webhook_as_it_was_given_with_its_plain_text() -> None:
    answers, [request] = await posted(TAKEN)
    head, _, content = request.partition(b"\r\n\r\n")
    message = json.loads(content)
    card = message["attachments"][0]["content"]

    assert answers == [Accepted("run-08584CU00")]
    assert head.startswith(f"POST /workflows/w1/triggers/manual/paths/invoke?{QUERY} HTTP/1.1\r\n".encode())
    assert b"content-type: application/json; charset=utf-8" in head.lower()
    assert (message["type"], message["attachments"][0]["contentType"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
    )
    assert (card["type"], card["version"], card["fallbackText"]) == ("AdaptiveCard", "1.2", "Fire safety is due")
    assert card["body"] == list(a_letter().note.blocks)  # type: ignore[union-attr]


ANSWERS = {
    "a workflow's": (Reply(202), Accepted("http-202")),
    "a workflow's with its run": (Reply(202, b"", "0858"), Accepted("run-0858")),
    "a run that is none": (Reply(202, b"", "canary@x.example"), Accepted("http-202")),
    "an old connector's": (Reply(200, b"1"), Accepted("http-200")),
    "an old connector's 429": (
        Reply(200, OLD.format(429).encode()),
        RefusedForNow("rate_limited", "429", None, "account"),
    ),
    "an old connector's 413": (Reply(200, OLD.format(413).encode()), RefusedForGood("payload_too_large", "413")),
    "an old connector's 500": (Reply(200, OLD.format(500).encode()), InDoubt("provider_failed", "500")),
    "a 429 in other words": (Reply(200, b"We say: HTTP error 429"), InDoubt("unexpected_reply", "200")),
    "200 without a word": (Reply(200), InDoubt("unexpected_reply", "200")),
    "200 with a page": (Reply(200, b"<html>canary</html>"), InDoubt("unexpected_reply", "200")),
    "202 with a word": (Reply(202, b"{}"), InDoubt("unexpected_reply", "202")),
    "201": (Reply(201), InDoubt("unexpected_reply", "201")),
    "204": (Reply(204), InDoubt("unexpected_reply", "204")),
    "400": (Reply(400, b'{"error":{"code":"Canary"}}'), RefusedForGood("card_refused", "400")),
    "a workflow that is off": (
        Reply(400, b'{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"canary"}}'),
        RefusedForNow("workflow_off", "WorkflowTriggerIsNotEnabled", None, "account"),
    ),
    "400 of lists": (Reply(400, b'[[["error"]]]'), RefusedForGood("card_refused", "400")),
    "400 that is no text": (Reply(400, b"\xff\x00"), RefusedForGood("card_refused", "400")),
    "401": (Reply(401), RefusedForNow("auth_failed", "401", None, "account")),
    "403": (Reply(403), RefusedForNow("auth_failed", "403", None, "account")),
    "404": (Reply(404), RefusedForNow("webhook_gone", "404", None, "account")),
    "410": (Reply(410), RefusedForNow("webhook_gone", "410", None, "account")),
    "413": (Reply(413), RefusedForGood("payload_too_large", "413")),
    "415": (Reply(415), RefusedForGood("card_refused", "415")),
    "429": (Reply(429, b"", "", 7.5), RefusedForNow("rate_limited", "429", 7.5, "account")),
    "408": (Reply(408), InDoubt("unexpected_reply", "408")),
    "409": (Reply(409), InDoubt("unexpected_reply", "409")),
    "499": (Reply(499), InDoubt("unexpected_reply", "499")),
    "500": (Reply(500), InDoubt("provider_failed", "500")),
    "502": (Reply(502), InDoubt("provider_failed", "502")),
    "503 that says when": (Reply(503, b"", "", 5.0), InDoubt("provider_failed", "503")),
}


@pytest.mark.parametrize(("reply", "meant"), ANSWERS.values(), ids=ANSWERS)
def test_answer_means(reply: Reply, meant: Answer) -> None:
    """RELIABILITY 6, apprise channels: what is no clear yes and no clear no is in doubt. No text of theirs is kept."""
    assert verdict(reply) == meant
    assert "anary" not in repr(verdict(reply)) + repr(reply)


WAITS = {"3": 3.0, "0": 0.0, "-5": 0.0, "0.5": 0.5, "86400": 86_400.0, "99999": 86_400.0, "soon": None}


@pytest.mark.parametrize(("header", "after_s"), WAITS.items())
async def test_wish_to_wait_is_read_in_every_form(header: str, after_s: float | None) -> None:
    """I10."""
    [answer], _ = await posted(said(b"", "429 Too Many Requests", f"Retry-After: {header}"))

    assert answer == RefusedForNow("rate_limited", "429", after_s, "account")


async def test_wish_to_wait_until_a_date_is_read_by_the_providers_own_clock() -> None:
    dates = ("Date: Fri, 17 Jan 2014 09:00:00 GMT", "Retry-After: Fri, 17 Jan 2014 09:00:30 GMT")
    [answer], _ = await posted(said(b"", "429 Too Many Requests", *dates))

    assert answer == RefusedForNow("rate_limited", "429", 30.0, "account")


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("cut", "connection_lost"),
        ("silence", "timeout"),
        ("drip", "timeout"),
        (said(b"x" * (ANSWER_BYTES_MAX + 1)), "answer_too_long"),
        (said(b"", "307 Temporary Redirect", "Location: https://canary.example/"), "redirected"),
        (b"canary canary canary\r\n\r\n", "unexpected_reply"),
    ],
)
async def test_whatever_comes_after_the_post_but_a_clear_answer_is_in_doubt_and_not_repeated(
    act: Act, reason: str
) -> None:
    """I2."""
    answers, requests = await posted(act)

    assert answers == [InDoubt(reason)]
    assert len(requests) == 1


async def test_webhook_that_nobody_serves_took_nothing() -> None:
    channel = TeamsChannel(TeamsSettings({"acme": "http://127.0.0.1:9/flow?sig=x"}, loopback_only=True))
    [answer] = await channel.deliver([a_letter()], open_gate)
    await channel.close()

    assert answer == RefusedForNow("connect_failed")


async def test_what_the_gate_forbids_is_not_written() -> None:
    """I3."""
    answers, requests = await posted(TAKEN, gate=shut_gate)

    assert (answers, requests) == ([Withheld("not_allowed")], [])


async def test_letter_that_no_webhook_could_take_is_refused_before_anything_is_sent() -> None:
    bare = Letter(UUID(int=2), "", "team")
    answers, requests = await posted(TAKEN, bare, a_letter("x" * PAYLOAD_BYTES_MAX), a_letter(tenant="globex"))

    assert answers == [RefusedForGood("no_text"), RefusedForGood("payload_too_large"), RefusedForNow("no_webhook")]
    assert requests == []


def test_size_is_counted_in_bytes_and_letters_are_not_made_longer() -> None:
    small, large = a_letter("é"), a_letter("éé")
    assert small.note is not None
    assert large.note is not None

    assert len(payload(large.note)) - len(payload(small.note)) == 2 * len(
        "é".encode()
    )  # in the card and in its plain text


async def test_each_tenants_message_goes_to_its_own_webhook_alone() -> None:
    async with scripted_http(TAKEN) as ours, scripted_http(TAKEN) as theirs:
        channel = TeamsChannel(TeamsSettings({"acme": f"{ours.url}a?sig=1", "globex": f"{theirs.url}b?sig=2"}))
        answers = await channel.deliver([a_letter(), a_letter(tenant="globex", number=2)], open_gate)
        await channel.close()

        assert [type(one) for one in answers] == [Accepted, Accepted]
        assert [one.split(b" ")[1] for one in (*ours.requests, *theirs.requests)] == [b"/a?sig=1", b"/b?sig=2"]


def test_replay_talks_to_this_machine_alone() -> None:
    with pytest.raises(HttpUrlError):
        TeamsChannel(TeamsSettings({"acme": "https://a.logic.azure.com/x?sig=canary"}, loopback_only=True))
