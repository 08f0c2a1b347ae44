"""Slack: direct messages found by mail address, and channels; one post per message, found again by its metadata.

The way of a message: whose address it is and the direct message with them (slack/people.py), then the post, which
waits at the gate (http/gate.py), then its answer (slack/answers.py). Nothing is tried twice here.
"""

from collections.abc import Sequence
from typing import Any

from messenger.channel import Answer, Bounds, Found, Gate, Letter, Note, RefusedForGood, Sought
from messenger.http import gate as http_gate
from messenger.http.client import HttpClient
from messenger.slack.answers import verdict
from messenger.slack.client import SlackClient, SlackSettings, replied
from messenger.slack.people import Nowhere, Places
from messenger.slack.readback import BLOCK, EVENT_TYPE, History

TEXT_CHARACTERS_MAX = 4_000  # Slack cuts longer ones without a word, and its answer repeats the text
BLOCKS_MAX = 50


class SlackChannel:
    """The channel over one Slack workspace, and the reading back of what it took."""

    def __init__(self, settings: SlackSettings) -> None:
        timeout_s = settings.prepare_timeout_s + settings.answer_timeout_s
        self.bounds = Bounds(timeout_s, settings.late_acceptance_s, settings.readback_lag_s)
        self._http = HttpClient(settings.http())
        self._client = SlackClient(settings, self._http)
        self._places = Places(self._client)
        self._history = History(self._client, self._places)

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        """Post these, as many at once as may be without an outcome; the answers come in their order."""
        return await http_gate.deliver(letters, gate, self._send, self._http.settings)

    async def find(self, sought: Sequence[Sought]) -> list[Found]:
        """Return what Slack knows of each, in their order."""
        return await self._history.find(sought)

    async def close(self) -> None:
        """End the connections."""
        await self._http.close()

    async def _send(self, letter: Letter) -> Answer:
        note = letter.note
        if note is None or not note.text:
            return RefusedForGood("no_text")
        if len(note.text) > TEXT_CHARACTERS_MAX or len(note.blocks) > BLOCKS_MAX:
            return RefusedForGood("msg_too_long")
        try:
            channel = await self._places.of(note.tenant_id, letter.recipient)
        except Nowhere as error:
            return error.answer
        call = self._client.chat_postMessage(
            channel=channel,
            text=escaped(note.text),
            blocks=named_blocks(letter, note) or None,
            metadata=metadata(letter, note),
            unfurl_links=False,
            unfurl_media=False,
            client_msg_id=str(letter.outreach_id),  # no promise of Slack's, so nothing relies on it
        )
        answer = verdict(letter, channel, await replied(call))
        if isinstance(answer, RefusedForGood) and answer.address:
            self._places.forget(note.tenant_id, letter.recipient)
        return answer


def metadata(letter: Letter, note: Note) -> dict[str, Any]:
    """Say which outreach it is: ids only, for every app and member of the workspace may read it."""
    payload = {"outreach_id": str(letter.outreach_id), "about": note.about, "step": note.step}
    return {"event_type": EVENT_TYPE, "event_payload": payload}


def named_blocks(letter: Letter, note: Note) -> list[dict[str, Any]]:
    """Name the first block after the outreach: what it is known by where metadata does not come back."""
    return [
        {**block, "block_id": f"{BLOCK}{letter.outreach_id}"} if number == 0 else dict(block)
        for number, block in enumerate(note.blocks)
    ]


def escaped(text: str) -> str:
    """Write what Slack would read as a mention or a link as what it is (S-34)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
