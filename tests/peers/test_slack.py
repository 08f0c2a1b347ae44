"""Slack's adapter against emulate, a program that nobody here wrote, with faults from mitmproxy between them.

emulate 0.12.2 deviates from Slack: it knows no 429 (mitmproxy answers it), takes an unknown token for an admin's, and
gives metadata without being asked for it.
"""

from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from messenger.channel import Accepted, Answer, InDoubt, Letter, NotThere, RefusedForGood, RefusedForNow
from messenger.slack.channel import SlackChannel
from messenger.slack.client import SlackSettings
from tests.peers.vendor_letters import letter, now, opened, sought
from tests.peers.vendors import PEOPLE, SLACK_TOKEN, Emulated, mail_of

pytestmark = pytest.mark.peer

NEXT = count()


@pytest.fixture(name="slack")
async def slack_fixture(vendors: Emulated) -> AsyncIterator[SlackChannel]:
    channel = SlackChannel(SlackSettings(SLACK_TOKEN, vendors.slack.faulty_url, loopback_only=True))
    yield channel
    await channel.close()


@pytest.fixture(name="mail")
def mail_fixture() -> str:
    """Whom nobody has written to yet: what emulate holds outlives a test."""
    return mail_of(PEOPLE[next(NEXT)])


async def sent(slack: SlackChannel, *letters: Letter) -> list[Answer]:
    return await slack.deliver(letters, opened)


async def posted(vendors: Emulated, one: Letter) -> int:
    """Count how often this message stands in the conversation, asked by Slack's own client."""
    client = AsyncWebClient(SLACK_TOKEN, f"{vendors.slack.url}/api/", retry_handlers=[])
    user = await client.api_call("users.lookupByEmail", data={"email": one.recipient})
    place = await client.api_call("conversations.open", data={"users": user["user"]["id"]})
    held = await client.api_call(
        "conversations.history", data={"channel": place["channel"]["id"], "include_all_metadata": "1", "limit": "100"}
    )
    marks = [message.get("metadata", {}).get("event_payload", {}) for message in held["messages"]]
    return sum(mark.get("outreach_id") == str(one.outreach_id) for mark in marks)


async def test_message_is_accepted_once_and_read_back_by_its_metadata(
    slack: SlackChannel, vendors: Emulated, mail: str
) -> None:
    since, one = now(), letter(mail)
    [answer] = await sent(slack, one)

    assert isinstance(answer, Accepted)
    assert await posted(vendors, one) == 1
    assert await slack.find(sought([one], since)) == [answer]


async def test_thirty_two_at_once_are_accepted_once_each(slack: SlackChannel, vendors: Emulated) -> None:
    letters = [letter(mail_of(PEOPLE[next(NEXT)])) for _ in range(32)]
    answers = await sent(slack, *letters)

    assert all(isinstance(answer, Accepted) for answer in answers)
    assert [await posted(vendors, one) for one in letters] == [1] * 32


async def test_answer_that_is_lost_after_acceptance_is_found_and_one_lost_before_is_not(
    slack: SlackChannel, vendors: Emulated, mail: str
) -> None:
    """RELIABILITY 6.5, 6.7: the true case of doubt, work done and answer lost; only a proxy makes it."""
    since = now()
    for action, held in (("lost", 1), ("reset", 0)):
        one = letter(mail)
        vendors.slack.err("chat.postMessage", action)
        [answer] = await sent(slack, one)
        assert isinstance(answer, InDoubt)
        assert await posted(vendors, one) == held
        [found] = await slack.find(sought([one], since))
        assert isinstance(found, Accepted if held else NotThere)


@pytest.mark.parametrize(
    ("retry_after", "after_s"), [("12", 12), ("2.5", 2.5), ("0", 0), ("-3", 0), ("86400", 86_400), ("soon", None)]
)
async def test_limit_is_a_refusal_for_now_with_its_pause_in_every_form(
    slack: SlackChannel, vendors: Emulated, mail: str, retry_after: str, after_s: float | None
) -> None:
    one = letter(mail)
    body = '{"ok":false,"error":"ratelimited"}'
    vendors.slack.err("chat.postMessage", "refuse", retry_after=retry_after, body=body)
    [answer] = await sent(slack, one)

    assert isinstance(answer, RefusedForNow)
    assert (answer.reason, answer.after_s) == ("rate_limited", after_s)
    assert await posted(vendors, one) == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "refuse", "status": 500, "body": "<html>", "type": "text/html"},
        {"action": "replaced", "status": 500, "body": '{"ok":false,"error":"fatal_error"}'},
        {"action": "replaced", "body": '{"ok":false,"error":"internal_error"}'},
        {"action": "replaced", "body": "<html>", "type": "text/html"},
        {"action": "replaced", "status": 302, "body": "", "headers": {"location": "https://elsewhere.example/"}},
        {"action": "replaced", "body": ""},
    ],
    ids=["500 before", "500 after", "200 internal_error", "html", "redirect", "nothing"],
)
async def test_answer_that_says_nothing_certain_is_doubt_that_reading_back_settles(
    slack: SlackChannel, vendors: Emulated, mail: str, fault: dict[str, Any]
) -> None:
    since, one = now(), letter(mail)
    vendors.slack.err("chat.postMessage", **fault)
    [answer] = await sent(slack, one)
    assert isinstance(answer, InDoubt)

    [found] = await slack.find(sought([one], since))
    assert isinstance(found, Accepted) == (await posted(vendors, one) == 1)


async def test_person_whom_slack_does_not_know_is_a_matter_of_the_address(slack: SlackChannel) -> None:
    [answer] = await sent(slack, letter("stranger@elsewhere.example"))

    assert answer == RefusedForGood("users_not_found", "users_not_found", address=True)


async def test_fault_before_the_post_is_refused_for_now_since_nothing_was_posted(
    slack: SlackChannel, vendors: Emulated, mail: str
) -> None:
    one = letter(mail)
    vendors.slack.err("users.lookupByEmail", "reset")
    assert isinstance((await sent(slack, one))[0], RefusedForNow)
    vendors.slack.err("conversations.open", "refuse", status=500)
    assert isinstance((await sent(slack, one))[0], RefusedForNow)
    assert isinstance((await sent(slack, one))[0], Accepted)
    assert await posted(vendors, one) == 1
