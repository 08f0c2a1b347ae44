"""What a fake Twilio tells back: a text's progress and texts from people, signed as Twilio signs them."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from twilio.request_validator import RequestValidator

from duly_local.twilio_texts import API, Text, Texts

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
WITHIN_S = 5.0
AT_ONCE_MAX = 16
WAITING_MAX = 10_000
PROGRESS = ("sent", "delivered")
"""No callback tells of the first status, `queued` or `accepted`: nor does Twilio's."""


class Callbacks:
    """Calls addresses on this machine, once each; what fails is not repeated."""

    def __init__(self, texts: Texts, token: str, session: ClientSession) -> None:
        self._texts = texts
        self._validator = RequestValidator(token)
        self._session = session
        self._turn = asyncio.Semaphore(AT_ONCE_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed = 0

    def goes_on(self, text: Text) -> None:
        """Let a text go its way to the person, and tell of each step."""
        if len(self._tasks) < WAITING_MAX:
            task = asyncio.create_task(self._progress(text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def tell(self, text: Text) -> int:
        """Tell where a text stands now; returns the answer's status, 0 where nobody answered."""
        form = {
            "AccountSid": self._texts.account,
            "ApiVersion": API,
            "From": text.sender,
            "MessageSid": text.sid,
            "MessageStatus": text.status,
            "SmsSid": text.sid,
            "SmsStatus": text.status,
            "To": text.to,
        }
        if text.service:
            form["MessagingServiceSid"] = text.service
        if text.error_code is not None:
            form["ErrorCode"] = str(text.error_code)
        return await self.post(text.callback, form)

    async def post(self, url: str, form: Mapping[str, str]) -> int:
        """Post a signed form to an address on this machine; to any other nothing is sent."""
        if urlsplit(url).hostname not in LOOPBACK:
            return 0
        headers = {"X-Twilio-Signature": self._validator.compute_signature(url, dict(form))}
        try:
            async with self._turn, self._session.post(url, data=dict(form), headers=headers) as response:
                return response.status
        except (ClientError, TimeoutError, OSError):
            self.failed += 1
            return 0

    async def close(self) -> None:
        """Stop telling."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _progress(self, text: Text) -> None:
        for status in PROGRESS:
            self._texts.move(text, status)
            if text.callback:
                await self.tell(text)


def session() -> ClientSession:
    """Return the session that callbacks go out on."""
    connector = TCPConnector(limit=AT_ONCE_MAX)
    return ClientSession(connector=connector, timeout=ClientTimeout(total=WITHIN_S), trust_env=False)
