"""Reading back from Twilio: which lists are asked for, what is found in them, and what they do not allow to say."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest

from duly_local.lies import Lie
from messenger.channel import Accepted, Found, NotAsked, NotThere, RefusedForGood, Sought, Unclear
from messenger.http.client import ANSWER_BYTES_MAX
from messenger.twilio import find as twilio_find
from tests.unit.messenger.gates import open_gate
from tests.unit.messenger.given_texts import (
    ANN,
    a_text,
    as_json,
    channel_to,
    fake_and_channel,
    scripted_and_channel,
    sought,
)
from tests.unit.messenger.scripted_http import Act, said, scripted_http

BEGUN = datetime(2026, 11, 22, 0, 0, 30, tzinfo=UTC)
SID = "SM" + "1" * 32
WANTED = Sought("acme", uuid4(), ANN, BEGUN)


def record(**changes: object) -> dict[str, Any]:
    """Write a text of ours as a list shows it."""
    at = format_datetime(BEGUN + timedelta(seconds=5))
    text = {"sid": SID, "to": ANN, "body": f"Hello {WANTED.token}", "status": "delivered", "error_code": None}
    return text | {"date_created": at, "date_sent": at} | changes


ASTRAY = {"messages": [], "meta": {"key": "messages", "next_page_url": "https://elsewhere.example/next"}}
"""A list that goes on at somebody else's: the account's token would go along."""


def listed(*records: object, more: str | None = None) -> bytes:
    return said(as_json({"messages": list(records), "page": 0, "next_page_uri": more, "uri": "/x"}))


async def asked(answer: Act | Callable[[bytes], Act], *others: Sought) -> tuple[list[Found], list[dict[str, str]]]:
    """Ask a server that answers this; return what was found, and each list's query."""
    act = answer if callable(answer) else (lambda _: answer)
    async with scripted_and_channel(act) as (http, channel):
        found = await channel.find([WANTED, *others])
    lines = [request.split(b" ")[1].decode() for request in http.requests]
    assert all(request.startswith(b"GET ") for request in http.requests)
    return found, [{name: value for name, (value,) in parse_qs(one.partition("?")[2]).items()} for one in lines]


async def test_list_is_asked_from_the_day_before_and_then_without_a_day_and_never_with_an_end() -> None:
    """A queued text has no day, and here the clock of whoever asks may be a driven one."""
    found, queries = await asked(listed())

    assert found == [NotThere()]
    size = {"PageSize": str(twilio_find.PAGE_TEXTS)}
    assert queries == [{"To": ANN, "DateSent>": "2026-11-21"} | size, {"To": ANN} | size]


async def test_text_that_is_found_is_accepted_and_asked_for_no_more() -> None:
    found, queries = await asked(listed(record(body="Another AAAAAAAA"), record()))

    assert (found, len(queries)) == ([Accepted(SID)], 1)


async def test_text_without_a_day_is_found_in_the_second_list() -> None:
    found, queries = await asked(
        lambda request: listed() if b"DateSent" in request else listed(record(status="queued", date_sent=None))
    )

    assert (found, len(queries)) == ([Accepted(SID)], 2)


@pytest.mark.parametrize(
    ("changes", "meaning"),
    [
        ({"status": "undelivered", "error_code": 30006}, RefusedForGood("text_undelivered", "30006", address=True)),
        ({"status": "failed", "error_code": 30007}, RefusedForGood("text_failed", "30007")),
        ({"status": "canceled"}, RefusedForGood("text_canceled")),
        ({"status": "failed", "error_code": f"about {ANN}"}, RefusedForGood("text_failed")),
        ({"status": "a new word"}, Accepted(SID)),
        ({"status": None}, Accepted(SID)),
    ],
)
async def test_what_became_of_a_text_settles_it(changes: dict[str, object], meaning: Found) -> None:
    found, _ = await asked(listed(record(**changes)))

    assert found == [meaning]


async def test_attempt_that_was_taken_counts_more_than_one_that_failed() -> None:
    for records in ((record(status="failed"), record()), (record(), record(status="failed"))):
        assert (await asked(listed(*records)))[0] == [Accepted(SID)]


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (listed(record(to="+447400000002")), Unclear("text_of_another")),
        (listed(record(sid=None)), Unclear("sid_missing")),
        (listed(record(body="")), Unclear("text_hidden")),
        (listed(record(body=None)), Unclear("text_hidden")),
        (listed(record(body=f"glued{WANTED.token}on")), NotThere()),
        (listed(record(body="", to="+447400000002")), NotThere()),
        (listed(record(body="", date_created="Sat, 01 Nov 2026 08:00:00 +0000")), NotThere()),
        (listed("no record"), Unclear("list_malformed")),
        (listed(record(date_created="Sat, 99 Nov 2026 08:00:00 +0000")), Unclear("list_malformed")),
        (said(b"<html>Fine"), Unclear("list_malformed")),
        (said(b""), Unclear("list_malformed")),
        (said(b"[]"), Unclear("list_malformed")),
        (said(b"{}"), Unclear("list_malformed")),
        (said(b'{"messages": 7, "page": 0}'), Unclear("list_malformed")),
        (said(b'{"messages": [], "others": []}'), Unclear("list_malformed")),
        (said(b" " * (ANSWER_BYTES_MAX + 1)), Unclear("answer_too_long")),
        (said(b"", "302 Found", "Location: /elsewhere"), Unclear("redirected")),
        (said(b"{}", "404 Not Found"), Unclear("list_refused", "404")),
        (said(b"{}", "400 Bad Request"), Unclear("list_refused", "400")),
        (said(as_json(ASTRAY)), Unclear("unexpected_reply")),
        (said(b"{}", "429 Too Many Requests", "Retry-After: 9"), NotAsked("rate_limited", "429", 9.0, "account")),
        (said(b"{}", "401 Unauthorized"), NotAsked("auth_failed", "401", scope="account")),
        (said(b"{}", "503 Service Unavailable"), NotAsked("provider_error", "503")),
        ("cut", NotAsked("connection_lost")),
    ],
)
async def test_list_that_cannot_be_used_means(answer: Act, meaning: Found) -> None:
    """NotThere is said of whole lists only: from it a text is sent again."""
    assert (await asked(answer))[0] == [meaning]


async def test_text_that_failed_is_no_evidence_while_the_rest_of_the_list_is_missing() -> None:
    found, _ = await asked(
        lambda request: listed(record(status="failed")) if b"DateSent" in request else said(b"", "500 Oops")
    )

    assert found == [NotAsked("provider_error", "500")]


async def test_nobody_at_the_address_was_not_asked() -> None:
    async with channel_to("http://127.0.0.1:9/") as channel:
        assert await channel.find([WANTED]) == [NotAsked("connect_failed")]


async def test_endless_list_ends_in_doubt() -> None:
    next_page = "/2010-04-01/Accounts/x/Messages.json?Page=9"
    found, queries = await asked(listed(record(body="Another"), more=next_page))

    assert found == [Unclear("too_many_texts")]
    assert len(queries) == 2 * twilio_find.PAGES_MAX


def old(days: int, number: int) -> dict[str, Any]:
    return record(body="Another", date_created=format_datetime(BEGUN - timedelta(days=days, seconds=number)))


async def test_list_that_is_newest_first_is_read_no_further_than_the_first_attempt() -> None:
    next_page = "/2010-04-01/Accounts/x/Messages.json?Page=1"
    found, queries = await asked(listed(old(2, 1), old(2, 2), more=next_page))

    assert (found, len(queries)) == ([NotThere()], 2)


async def test_list_in_another_order_is_read_to_its_end() -> None:
    next_page = "/2010-04-01/Accounts/x/Messages.json?Page=1"

    def answer(request: bytes) -> Act:
        return listed(record()) if b"Page=1" in request else listed(old(2, 2), old(2, 1), more=next_page)

    assert (await asked(answer))[0] == [Accepted(SID)]


async def test_several_texts_to_one_number_are_asked_for_together() -> None:
    other = replace(WANTED, outreach_id=uuid4(), first_posted_at=BEGUN - timedelta(days=3))
    found, queries = await asked(listed(record(), record(body=f"Hi {other.token}", sid="SM2")), other)

    assert found == [Accepted(SID), Accepted("SM2")]
    assert [query.get("DateSent>") for query in queries] == ["2026-11-18"]


async def test_list_that_drips_is_given_up() -> None:
    async with scripted_http("silence") as http, channel_to(http.url) as channel:
        channel._texts._page_within_s = 0.2
        async with asyncio.timeout(5):
            assert await channel.find([WANTED]) == [NotAsked("timeout")]


async def test_texts_over_many_pages_are_found_at_the_fake(tmp_path: Path) -> None:
    letters = [a_text() for _ in range(2 * twilio_find.PAGE_TEXTS + 1)]
    async with fake_and_channel(tmp_path) as (_, channel):
        sent = await channel.deliver(letters, open_gate)
        found = await channel.find([sought(letter) for letter in letters] + [sought(a_text())])

    assert found == [*sent, NotThere()]


@pytest.mark.parametrize("lie", [Lie.TOO_MANY, Lie.ERROR_BEFORE, Lie.CUT_BEFORE, Lie.HTML, Lie.REDIRECT, Lie.CUT_AFTER])
async def test_list_that_lies_never_says_that_a_text_is_not_there(lie: Lie, tmp_path: Path) -> None:
    letter = a_text()
    async with fake_and_channel(tmp_path) as (fake, channel):
        await channel.deliver([letter], open_gate)
        fake.read_liar.lies.planned.extend([lie, lie])
        (lied,) = await channel.find([sought(letter)])
        fake.read_liar.lies.planned.clear()
        (honest,) = await channel.find([sought(letter)])

    assert isinstance(lied, Unclear | NotAsked)
    assert isinstance(honest, Accepted)
