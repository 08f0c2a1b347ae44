"""Microsoft Teams: one post to the webhook of a workflow, which puts a card into a team's channel.

Best effort: Teams has no key that makes a repeated post one message, gives no receipt, and cannot be asked afterwards.
So what is in doubt is parked, and no mandatory message comes here (planning/plans.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientResponse
from yarl import URL

from duly_chassis.clock import SystemClock
from messenger.channel import Answer, Gate, Letter, Note, RefusedForGood, RefusedForNow
from messenger.http import gate as http_gate
from messenger.http.client import HttpClient, HttpSettings
from messenger.http.retry_after import http_date, retry_after_s
from messenger.teams.answers import Reply, verdict

PAYLOAD_BYTES_MAX = 28_000
"""Microsoft says 28 KB for the whole message, and not which KB."""

CARD = {"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.2"}
CARD_TYPE = "application/vnd.microsoft.card.adaptive"
BODY_TYPE = "application/json; charset=utf-8"  # without a charset Teams counts two bytes for each letter
RUN = "x-ms-workflow-run-id"


@dataclass(frozen=True, slots=True)
class TeamsSettings:
    """The webhook of each tenant's channel; whoever knows it may post there."""

    webhooks: Mapping[str, str] = field(repr=False)
    loopback_only: bool = False
    prepare_timeout_s: float = 10.0  # until the post stands before the gate
    answer_timeout_s: float = 15.0

    def http(self, url: str) -> HttpSettings:
        """Say how one webhook's host is reached; every post to it is gated. Raises HttpUrlError."""
        return HttpSettings(
            url=origin(url),
            gated_ends=("",),
            loopback_only=self.loopback_only,
            prepare_timeout_s=self.prepare_timeout_s,
            answer_timeout_s=self.answer_timeout_s,
        )


class TeamsChannel:
    """The channel over the webhooks of all tenants."""

    def __init__(self, settings: TeamsSettings) -> None:
        self._webhooks = settings.webhooks
        hosts = {origin(url): settings.http(url) for url in settings.webhooks.values()}
        self._times = next(iter(hosts.values()))  # the same for every host
        self._http = {name: HttpClient(one) for name, one in hosts.items()}

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        """Post these, as many at once as may be without an outcome; the answers come in their order."""
        return await http_gate.deliver(letters, gate, self._send, self._times)

    async def close(self) -> None:
        """End the connections."""
        for one in self._http.values():
            await one.close()

    async def _send(self, letter: Letter) -> Answer:
        note = letter.note
        if note is None or not note.text:
            return RefusedForGood("no_text")
        url = self._webhooks.get(note.tenant_id)
        if url is None:
            return RefusedForNow("no_webhook")
        body = payload(note)
        if len(body) > PAYLOAD_BYTES_MAX:
            return RefusedForGood("payload_too_large")
        session = self._http[origin(url)].session
        target = URL(url, encoded=True)  # as it was given: its signature is in it
        async with session.post(target, data=body, headers={"Content-Type": BODY_TYPE}) as response:
            return verdict(await replied(response))


async def replied(response: ClientResponse) -> Reply:
    """Read a whole answer; raises what the way out raises."""
    body = await response.read()
    told = response.headers
    now = http_date(told.get("Date")) or SystemClock().now()
    return Reply(response.status, body, told.get(RUN, ""), retry_after_s(told.get("Retry-After"), now))


def origin(url: str) -> str:
    """Return the part of a webhook that is no secret: scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


def payload(note: Note) -> bytes:
    """Write the message: a card, and its plain text for a client that shows none."""
    attachment = {"contentType": CARD_TYPE, "contentUrl": None, "content": card(note.text, note.blocks)}
    message = {"type": "message", "attachments": [attachment]}
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def card(text: str, blocks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Write the card alone."""
    return {**CARD, "fallbackText": unlinked(text), "body": list(blocks)}


def unlinked(text: str) -> str:
    """Write what Teams would read as a link behind other words as what it is (S-34)."""
    return text.replace("[", "\\[")
