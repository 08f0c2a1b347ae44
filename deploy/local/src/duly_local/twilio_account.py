"""What a fake Twilio says of its account: whether it may send, which numbers are its own, who sends for a service."""

from collections.abc import Collection
from dataclasses import dataclass

from aiohttp import web

from duly_local.lying import Reply
from duly_local.twilio_texts import API

MISSING = Reply({"code": 20404, "message": "The requested resource was not found", "status": 404}, 404)
MESSAGING = "/messaging/v1/Services/{service}"
PROXY = "PN" + "0" * 32


@dataclass(slots=True)
class Account:
    """One account; what is asked for is there and able, unless it is named here."""

    sid: str
    status: str = "active"
    type: str = "Full"
    foreign: Collection[str] = ()
    """Numbers and messaging services that it has not."""
    voice_only: Collection[str] = ()
    empty: Collection[str] = ()
    """Messaging services without a sender."""
    webhook: str = ""
    """Where incoming texts are told to."""
    ahead_s: float = 0.0
    """How wrong its clock is."""

    def routes(self) -> list[web.RouteDef]:
        """Name what may be asked."""
        own = f"/{API}/Accounts/{self.sid}"
        return [
            web.get(f"{own}.json", self.account),
            web.get(f"{own}/IncomingPhoneNumbers.json", self.numbers),
            web.get(f"{own}/SMS/ShortCodes.json", self.short_codes),
            web.get(MESSAGING, self.service),
            web.get(f"{MESSAGING}/PhoneNumbers", self.senders),
            web.get(f"{MESSAGING}/ShortCodes", self.senders),
            web.get(f"{MESSAGING}/AlphaSenders", self.senders),
        ]

    async def account(self, _request: web.Request) -> web.Response:
        """Tell about the account."""
        return Reply({"sid": self.sid, "status": self.status, "type": self.type}).response()

    async def numbers(self, request: web.Request) -> web.Response:
        """Tell about one number."""
        number = request.query.get("PhoneNumber", "")
        able = {"voice": True, "sms": number not in self.voice_only, "mms": False, "fax": False}
        one = {"sid": PROXY, "phone_number": number, "capabilities": able, "sms_url": self.webhook}
        listed = [] if number in self.foreign else [one]
        return Reply({"incoming_phone_numbers": listed, "page": 0, "page_size": 50}).response()

    async def short_codes(self, request: web.Request) -> web.Response:
        """Tell about one short code."""
        code = request.query.get("ShortCode", "")
        listed = [] if code in self.foreign else [{"sid": PROXY, "short_code": code, "sms_url": self.webhook}]
        return Reply({"short_codes": listed}).response()

    async def service(self, request: web.Request) -> web.Response:
        """Tell about one messaging service."""
        sid = request.match_info["service"]
        if sid in self.foreign:
            return MISSING.response()
        told = {"sid": sid, "inbound_request_url": self.webhook, "use_inbound_webhook_on_number": False}
        return Reply(told).response()

    async def senders(self, request: web.Request) -> web.Response:
        """Tell who sends for a service: one number, and nobody else."""
        kind = request.path.rpartition("/")[2]
        name = {"PhoneNumbers": "phone_numbers", "ShortCodes": "short_codes"}.get(kind, "alpha_senders")
        there = kind == "PhoneNumbers" and request.match_info["service"] not in self.empty
        return Reply({name: [{"sid": PROXY, "capabilities": ["SMS", "MMS"]}] if there else []}).response()
