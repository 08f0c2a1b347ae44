"""What a stand-in for Twilio answers to each request it knows, and how it lies.

Messages: create, fetch and list; and by form, with the account's own login, what a person or a network would do.
"""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from hmac import compare_digest
from urllib.parse import urlencode

from aiohttp import web
from aiohttp.typedefs import Handler

from duly_local.lies import Lies
from duly_local.lying import Deed, Liar, Reply
from duly_local.twilio_account import Account
from duly_local.twilio_callbacks import Callbacks
from duly_local.twilio_texts import API, PAGE_TEXTS, PAGE_TEXTS_MAX, Texts

BODY_CHARACTERS_MAX = 1_600
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
STOPPED = 21610


def fault(code: int, message: str, status: int = 400) -> Reply:
    """Word a refusal as Twilio does."""
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Reply({"code": code, "message": message, "more_info": more, "status": status}, status)


class TwilioFake:
    """The routes of one account."""

    def __init__(self, texts: Texts, callbacks: Callbacks, lies: Lies, read_lies: Lies, token: str) -> None:
        self.texts = texts
        self.callbacks = callbacks
        self.liar, self.read_liar = Liar(lies), Liar(read_lies)
        self.account = Account(texts.account)
        self.token = token

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
            web.post("/_fake/read-lies", self.read_liar.control),
            web.post("/_fake/numbers", self.numbers),
        ]

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Take a text, or refuse it; under the lie that is drawn for it."""
        self.texts.asked += 1
        form = await self._form(request)
        if (wrong := self._wrong(form)) is not None:
            return wrong.response()

        async def accept() -> Reply:
            text = await self.texts.accept(form)
            reply = Reply(self.texts.shown(text), 201)
            self.callbacks.goes_on(text)
            return reply

        return await self.liar.answer(request, Deed(accept, TOO_MANY, BROKEN, other))

    async def list(self, request: web.Request) -> web.StreamResponse:
        """Show texts, a page at a time; under the lie that is drawn for it."""
        query = dict(request.query)
        try:
            size, page = int(query.get("PageSize", PAGE_TEXTS)), max(0, int(query.get("Page", 0)))
        except ValueError:
            return fault(20001, "Invalid page").response()
        size = max(1, min(size, PAGE_TEXTS_MAX))

        async def show() -> Reply:
            there = self.texts.listed(query, self.liar.lies.hidden_s())
            shown = [self.texts.shown(one) for one in there[page * size : (page + 1) * size]]
            following = urlencode(query | {"Page": str(page + 1), "PageSize": str(size)})
            following = f"{request.path}?{following}" if len(there) > (page + 1) * size else ""
            answer = {"messages": shown, "page": page, "page_size": size, "next_page_uri": following or None}
            return Reply(answer | {"uri": request.path})

        return await self.read_liar.answer(request, Deed(show, TOO_MANY, BROKEN, other))

    async def close(self) -> None:
        """Give up what would still be accepted, and told."""
        await self.liar.close()
        await self.read_liar.close()
        await self.callbacks.close()

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
        return scheme == "Basic" and compare_digest(said, f"{self.texts.account}:{self.token}".encode())

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
    """Exchange what an answer to a text is about: another SID, to another number."""
    return Reply({**reply.body, "sid": "SM" + "f" * 32, "to": "+15005550006"}, reply.status)


TOO_MANY, BROKEN = fault(20429, "Too Many Requests", 429), fault(20500, "Internal Server Error", 500)
