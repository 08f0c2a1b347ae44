"""Texts over Twilio. One request for each text, held back until the gate allows it (http/turn.py); none is repeated."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from twilio.base import values
from twilio.base.exceptions import TwilioException

from duly_chassis.clock import Clock
from messenger.channel import Answer, Bounds, Found, Gate, Letter, RefusedForGood, Sought
from messenger.http import gate as http_gate
from messenger.http.client import HttpClient
from messenger.twilio import answers as twilio_answers
from messenger.twilio.client import TwilioSettings, listen, open_client
from messenger.twilio.find import TwilioTexts

BODY_CHARACTERS_MAX = 1_600
VALID_S_MAX = 36_000  # what a text may wait at Twilio at most
SERVICE = "MG"  # a messaging service chooses among its numbers; any other sender is a number, or a name
CALLBACKS = "/v1/twilio/status"


class TwilioSms:
    """The channel `sms` over one account."""

    def __init__(self, settings: TwilioSettings, wall: Clock) -> None:
        self._settings = settings
        self._http = HttpClient(settings.http)
        self._client = open_client(settings, self._http, wall)
        self._texts = TwilioTexts(self._client, settings.http.answer_timeout_s)

    @property
    def bounds(self) -> Bounds:
        """Return how late this account may take a text, and show it; first asked 90 s after the attempt as shipped."""
        http = self._http.settings  # before the gate and after it: both are our own
        timeout_s = http.prepare_timeout_s + http.answer_timeout_s
        return Bounds(timeout_s, self._settings.late_acceptance_s, self._settings.readback_lag_s)

    async def deliver(self, letters: Sequence[Letter], gate: Gate) -> list[Answer]:
        """Send these texts side by side; the answers come in their order."""
        return await http_gate.deliver(letters, gate, self._send, self._http.settings)

    async def find(self, sought: Sequence[Sought]) -> list[Found]:
        """Return what Twilio knows of each, in their order; it may be asked again."""
        return await self._texts.find(sought)

    async def close(self) -> None:
        """End the connections."""
        await self._http.close()

    async def _send(self, letter: Letter) -> Answer:
        note = letter.note
        if note is None or not note.text or len(note.text) > BODY_CHARACTERS_MAX:
            return RefusedForGood("text_unfit")
        heard = listen()
        by_service = letter.sender.startswith(SERVICE)
        try:
            message = await self._client.messages.create_async(
                to=letter.recipient,
                from_=values.unset if by_service else letter.sender,
                messaging_service_sid=letter.sender if by_service else values.unset,
                body=note.text,
                status_callback=self._callback(letter, note.tenant_id),
                validity_period=values.unset if note.valid_for_s is None else valid_s(note.valid_for_s),
            )
        except TwilioException as error:
            return twilio_answers.refusal(error, heard)
        return twilio_answers.taken(letter, message)

    def _callback(self, letter: Letter, tenant: str) -> Any:
        """Say where Twilio tells what became of it: the address names the text even where the answer was lost."""
        if not self._settings.public_url:
            return values.unset
        return f"{self._settings.public_url.rstrip('/')}{CALLBACKS}/{quote(tenant, safe='')}/{letter.outreach_id}"


def valid_s(useful_s: int) -> int:
    """Return how long Twilio may keep a text waiting, so that a stale one is not sent at night."""
    return max(1, min(useful_s, VALID_S_MAX))
