"""Callbacks as providers send them, signed by the providers' own libraries and not by our code."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import urlencode

import aiohttp
import uvicorn
from slack_sdk.signature import SignatureVerifier
from twilio.request_validator import RequestValidator

from duly_chassis import serving
from duly_chassis.doors import Doors
from tests.support.bench import Bench

FORM = "application/x-www-form-urlencoded"
PUBLIC = "https://hooks.example.org/duly"
TOKEN, OLD_TOKEN, ACME_TOKEN = "0123456789abcdef-new", "0123456789abcdef-old", "0123456789abcdef-acme"
SECRET, OLD_SECRET = "fedcba9876543210-new", "fedcba9876543210-old"
KEY = "a key of the tests with 32 characters and more"
SENDER, SHARED = "+442071838750", "+442071838751"
NUMBER = "+447400000001"
OUTREACH = "5d2f7f5e-0c52-5b39-9f3c-2b6a1f6e8f10"
STATUS, INBOUND, SLACK = f"/v1/twilio/status/acme/{OUTREACH}", "/v1/twilio/inbound", "/v1/slack/interactivity"
Headers = list[tuple[str, str]]
Answer = tuple[int, str, Mapping[str, str]]


def sid(number: int) -> str:
    """Return a message id of Twilio's form."""
    return f"SM{number:032x}"


def of_twilio(path: str, fields: Mapping[str, str], token: str = TOKEN, public: str = PUBLIC) -> Headers:
    """Sign a form as Twilio does."""
    signature = RequestValidator(token).compute_signature(public + path, dict(fields))
    return [("content-type", FORM), ("x-twilio-signature", signature)]


def of_slack(body: str, secret: str = SECRET, age_s: float = 0, stamp: str = "") -> Headers:
    """Sign a body as Slack does."""
    stamp = stamp or str(int(time.time() - age_s))
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body) or ""
    return [("content-type", FORM), ("x-slack-request-timestamp", stamp), ("x-slack-signature", signature)]


async def send(address: str, path: str, body: str | bytes, headers: Headers, method: str = "POST") -> Answer:
    """Send a request as it is; return status, text and headers."""
    raw = body.encode() if isinstance(body, str) else body
    async with (
        aiohttp.ClientSession(skip_auto_headers=["content-type"]) as session,
        session.request(method, address + path, data=BytesIO(raw), headers=headers) as response,
    ):
        return response.status, await response.text(), dict(response.headers)


async def twilio(address: str, path: str, fields: Mapping[str, str], token: str = TOKEN) -> Answer:
    """Send a signed form."""
    return await send(address, path, urlencode(fields), of_twilio(path, fields, token))


async def status(address: str, number: int = 1, said: str = "delivered", path: str = STATUS, **also: str) -> Answer:
    """Report how a message fares."""
    fields = {"MessageSid": sid(number), "MessageStatus": said, "To": NUMBER, "From": SENDER} | also
    return await twilio(address, path, fields)


async def text(address: str, words: str, number: int = 1, sender: str = SENDER, **also: str) -> Answer:
    """Write to one of our senders."""
    fields = {"MessageSid": sid(number), "From": NUMBER, "To": sender, "Body": words} | also
    return await twilio(address, INBOUND, fields)


async def slack(
    address: str, payload: str, headers: Headers | None = None, also: Sequence[tuple[str, str]] = ()
) -> Answer:
    """Press a button."""
    body = urlencode({"payload": payload})
    return await send(address, SLACK, body, [*(of_slack(body) if headers is None else headers), *also])


@dataclass
class Open:
    """The hooks of a service on a bench, served as its host serves them."""

    address: str
    bench: Bench

    def counted(self, name: str, **labels: str) -> float:
        """Return what a metric counted."""
        metrics = self.bench.metrics
        return metrics.registry.get_sample_value(name, {"service": metrics.service, **labels}) or 0


@asynccontextmanager
async def opened(bench: Bench) -> AsyncIterator[Open]:
    """Serve the hooks for as long as the block lasts, without a broker."""
    doors = Doors(bench.service, bench.database, bench.clock, bench.metrics, lambda: None, bench.traces)
    server = serving.Server(
        uvicorn.Config(doors, host="127.0.0.1", port=0, lifespan="off", log_config=None, access_log=False)
    )
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.wait([task], timeout=0.02)
    try:
        yield Open(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", bench)
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=10)
