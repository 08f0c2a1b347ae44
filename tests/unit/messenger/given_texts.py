"""Texts to send and Twilios to send them to: the fake of the local stack, or a script of bare bytes."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from duly_chassis.clock import DrivenClock
from duly_local import twilio_fake
from duly_local.lies import Lies
from duly_local.twilio_fake import ACCOUNT, TOKEN
from duly_local.twilio_methods import TwilioFake
from messenger.channel import Letter, Note, Sought, short_token
from messenger.twilio.channel import TwilioSms
from messenger.twilio.client import TwilioSettings
from tests.unit.messenger.scripted_http import Act, scripted_http

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
ANN = "+447400000001"
SENDER = "+447400999999"
WORDS = "Duly: your training is due tomorrow. https://lms.example/7 Reply STOP to opt out"


def a_text(
    to: str = ANN, outreach_id: UUID | None = None, sender: str = SENDER, valid_for_s: int | None = None
) -> Letter:
    outreach_id = outreach_id or uuid4()
    body = f"{WORDS} {short_token('acme', outreach_id)}"
    note = Note("acme", "assignment-7", "14", body, valid_for_s=valid_for_s)
    return Letter(outreach_id, sender, to, note=note)


def sought(letter: Letter, at: datetime | None = None) -> Sought:
    return Sought("acme", letter.outreach_id, letter.recipient, at or datetime.now(UTC))


@asynccontextmanager
async def channel_to(url: str, public_url: str | None = None, token: str = TOKEN) -> AsyncIterator[TwilioSms]:
    """Give a channel to this address; ended with the block."""
    settings = TwilioSettings(ACCOUNT, token, url, public_url, loopback_only=True)
    channel = TwilioSms(settings, DrivenClock(NOW))
    try:
        yield channel
    finally:
        await channel.close()


@asynccontextmanager
async def fake_and_channel(
    folder: Path, lies: Lies | None = None, public_url: str | None = None
) -> AsyncIterator[tuple[TwilioFake, TwilioSms]]:
    """Give the local stack's fake, and a channel to it."""
    async with (
        twilio_fake.serving(folder, lies=lies) as (fake, url),
        channel_to(url, public_url) as channel,
    ):
        yield fake, channel


@asynccontextmanager
async def scripted_and_channel(answer: Callable[[bytes], Act]) -> AsyncIterator[tuple[Any, TwilioSms]]:
    """Give a server that answers these bytes, and a channel to it."""
    async with scripted_http(answer) as http, channel_to(http.url) as channel:
        yield http, channel


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()
