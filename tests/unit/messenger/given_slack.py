"""Messages for Slack, the fake of the local stack and a script of bare bytes to send them to."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from duly_local.lies import Lies
from duly_local.slack_fake import serving
from duly_local.slack_methods import SlackFake
from duly_local.slack_state import Workspace
from messenger.channel import (
    Answer,
    Letter,
    Note,
    Sought,
)
from messenger.slack.channel import SlackChannel
from messenger.slack.client import SlackSettings
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
LETTER = a_letter()
