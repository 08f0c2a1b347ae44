"""A fake Twilio on loopback (`python -m duly_local.twilio_fake`): texts are taken, listed, told back, and lied about.

What it accepted stands in DIR/accepted.jsonl before anybody is told. It stands in for Twilio in demo, replay and
tests; PEERS and the real Twilio are what proves an adapter, this proves what happens when they misbehave.
"""

import argparse
import asyncio
import binascii
import os
import re
import signal
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from hmac import compare_digest
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from duly_local.accept_log import AcceptLog
from duly_local.lies import Lies, shares
from duly_local.lying import Deed, Liar, Reply
from duly_local.ports import HOST
from duly_local.skew import dated
from duly_local.twilio_account import Account
from duly_local.twilio_callbacks import Callbacks, session
from duly_local.twilio_texts import API, PAGE_TEXTS, PAGE_TEXTS_MAX, Texts

ACCOUNT, TOKEN = "AC" + "0" * 32, "fake-twilio-token"
TOKEN_VARIABLE = "FAKE_TWILIO_TOKEN"  # noqa: S105 - a name
FORM_BYTES_MAX = 64 * 1024
BODY_CHARACTERS_MAX = 1_600
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
STOPPED = 21610


def fault(code: int, message: str, status: int = 400) -> Reply:
    """Word a refusal as Twilio does."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Reply({"code": code, "message": message, "more_info": more, "status": status}, status)


class TwilioFake:
    """The routes of one account."""

    def __init__(self, texts: Texts, callbacks: Callbacks, lies: Lies, token: str) -> None:
        self.texts = texts
        self.callbacks = callbacks
        self.liar = Liar(lies)
        self.account = Account(texts.account)
        self._token = token

    def routes(self) -> list[web.RouteDef]:
        """Name what may be asked."""
        account = f"/{API}/Accounts/{self.texts.account}"
        return [
            *self.account.routes(),
            web.post(f"{account}/Messages.json", self.create),
            web.get(f"{account}/Messages.json", self.list),
            web.get(f"{account}/Messages/{{sid}}.json", self.fetch),
            web.post("/_twilio/simulate/message-status", self.simulate_status),
            web.post("/_twilio/simulate/inbound-message", self.simulate_inbound),
            web.post("/_fake/lies", self.liar.control),
            web.get("/_fake/lies", self.liar.control),
            web.post("/_fake/numbers", self.numbers),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Take a text, or refuse it; under the lie that is drawn for it."""
        form = await self._form(request)
        if (wrong := self._wrong(form)) is not None:
            return wrong.response()

        async def accept() -> Reply:
            text = await self.texts.accept(form)
            reply = Reply(self.texts.shown(text), 201)
            self.callbacks.goes_on(text)
            return reply

        deed = Deed(accept, fault(20429, "Too Many Requests", 429), fault(20500, "Internal Server Error", 500), other)
        return await self.liar.answer(request, deed)

    async def list(self, request: web.Request) -> web.Response:
        """Show texts, a page at a time."""
        query = dict(request.query)
        try:
            size, page = int(query.get("PageSize", PAGE_TEXTS)), int(query.get("Page", 0))
        except ValueError:
            return fault(20001, "Invalid page").response()
        size = max(1, min(size, PAGE_TEXTS_MAX))
        there = self.texts.listed(query, self.liar.lies.hidden_s())
        shown = [self.texts.shown(text) for text in there[page * size : (page + 1) * size]]
        more = len(there) > (page + 1) * size
        following = urlencode(query | {"Page": str(page + 1), "PageSize": str(size)})
        answer = {
            "messages": shown,
            "page": page,
            "page_size": size,
            "next_page_uri": f"{request.path}?{following}" if more else None,
            "uri": request.path,
        }
        return web.json_response(answer)

    async def fetch(self, request: web.Request) -> web.Response:
        """Show one text."""
        text = self.texts.by_sid.get(request.match_info["sid"])
        missing = fault(20404, "The requested resource was not found", 404)
        return (missing if text is None else Reply(self.texts.shown(text))).response()

    async def simulate_status(self, request: web.Request) -> web.Response:
        """Move a text on, and tell of it: MessageSid, Status, and ErrorCode where it failed."""
        form = await self._form(request)
        text = self.texts.by_sid.get(form.get("MessageSid", ""))
        if text is None:
            return fault(20404, "The requested resource was not found", 404).response()
        code = form.get("ErrorCode", "")
        self.texts.move(text, form.get("Status", text.status), int(code) if code.isdecimal() else None)
        return web.json_response({"callback": await self.callbacks.tell(text)})

    async def simulate_inbound(self, request: web.Request) -> web.Response:
        """Have a person text us: From, To, Body, and Url where it is told, as the number's own setting would say."""
        form = await self._form(request)
        text = self.texts.arrived(form.get("From", ""), form.get("To", ""), form.get("Body", ""))
        told = {"From": text.sender, "To": text.to, "Body": text.body, "MessageSid": text.sid, "NumMedia": "0"}
        told |= {"AccountSid": self.texts.account, "ApiVersion": API, "SmsSid": text.sid, "SmsStatus": "received"}
        return web.json_response({"sid": text.sid, "callback": await self.callbacks.post(form.get("Url", ""), told)})

    async def numbers(self, request: web.Request) -> web.Response:
        """Refuse these numbers from now on, each by its code; 0 takes one back."""
        for number, code in (await self._form(request)).items():
            self.texts.refused[number] = int(code) if code.isdecimal() else 0
        return web.json_response({"refused": len(self.texts.refused)})

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for the account's token before anything else."""
        if not self._known(request.headers.get("Authorization", "")):
            return fault(20003, "Authenticate", 401).response()
        return await handler(request)

    def _known(self, authorization: str) -> bool:
        scheme, _, word = authorization.partition(" ")
        try:
            said = b64decode(word, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme == "Basic" and compare_digest(said, f"{self.texts.account}:{self._token}".encode())

    def _wrong(self, form: Mapping[str, str]) -> Reply | None:
        to, body = form.get("To", ""), form.get("Body", "")
        sender = form.get("From") or form.get("MessagingServiceSid", "")
        faults = (
            (not to, fault(21604, "A 'To' phone number is required.")),
            (not sender, fault(21603, "A 'From' phone number is required.")),
            (not body, fault(21602, "Message body is required.")),
            (len(body) > BODY_CHARACTERS_MAX, fault(21617, "The concatenated message body exceeds the limit.")),
            (not E164.fullmatch(to), fault(21211, "Invalid 'To' Phone Number")),
            ((to, sender) in self.texts.stopped, fault(STOPPED, "Attempt to send to unsubscribed recipient")),
            (bool(self.texts.refused.get(to)), fault(self.texts.refused.get(to, 0), "Refused")),
        )
        return next((reply for applies, reply in faults if applies), None)

    async def _form(self, request: web.Request) -> dict[str, str]:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def other(reply: Reply) -> Reply:
    """Exchange the SID for one that belongs to no text."""
    return Reply({**reply.body, "sid": "SM" + "f" * 32}, reply.status)


@asynccontextmanager
async def serving(
    folder: Path, port: int = 0, *, account: str = ACCOUNT, token: str = TOKEN, lies: Lies | None = None
) -> AsyncIterator[tuple[TwilioFake, str]]:
    """Serve for as long as the block lasts; gives the fake and its address. Raises OSError if the port is taken."""
    async with session() as out:
        texts = Texts(account, AcceptLog(folder / "accepted.jsonl"))
        callbacks = Callbacks(texts, token, out)
        fake = TwilioFake(texts, callbacks, lies or Lies(), token)
        app = web.Application(middlewares=[fake.guard], client_max_size=FORM_BYTES_MAX)
        app.add_routes(fake.routes())
        app.on_response_prepare.append(dated(lambda: fake.account.ahead_s))
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            yield fake, f"http://{HOST}:{runner.addresses[0][1]}"
        finally:
            await fake.liar.close()
            await callbacks.close()
            await runner.cleanup()
            await texts.log.close()


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    lies = Lies(seed=arguments.seed, lag_s=arguments.lag_s)
    lies.change({"shares": shares(arguments.lies)})
    token = os.environ.get(TOKEN_VARIABLE, TOKEN)
    async with serving(arguments.dir, arguments.port, account=arguments.account, token=token, lies=lies) as (_, url):
        print(url, flush=True)  # noqa: T201 - who started it learns that it is ready, and where
        await ended.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m duly_local.twilio_fake", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the HTTP port; 0 takes a free one and says it")
    parser.add_argument("--dir", type=Path, required=True, help="where accepted.jsonl is kept")
    parser.add_argument("--account", default=ACCOUNT, help=f"the account SID; its token is in {TOKEN_VARIABLE}")
    parser.add_argument("--seed", type=int, default=0, help="what lies are drawn from")
    parser.add_argument("--lies", default="", help="shares of requests, as 429=0.05,cut-after=0.03, or all=0.2")
    parser.add_argument("--lag-s", type=float, default=0.0, help="how much later a text can be read back")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
