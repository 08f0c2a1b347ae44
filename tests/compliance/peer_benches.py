"""Slack and Twilio as emulate plays them: a program that nobody here wrote, with mitmproxy before it for the faults.

Where emulate 0.12.2 deviates from its vendor, the proxy answers in the vendor's words, and the line below says so.
What it holds outlives a test, so each bench writes to somebody new, and counts what is its own.
"""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen
from uuid import UUID

from slack_sdk import WebClient

from duly_chassis.clock import SystemClock
from messenger.channel import Bounds, Letter, short_token
from messenger.slack.channel import SlackChannel
from messenger.slack.client import SlackSettings
from messenger.twilio.channel import TwilioSms
from messenger.twilio.client import TwilioSettings
from tests.compliance.bench import CANARY, Deed
from tests.peers.vendor_letters import TENANT, letter
from tests.peers.vendors import (
    CANARIES,
    SLACK_TOKEN,
    TWILIO_NUMBER,
    TWILIO_SID,
    TWILIO_TOKEN,
    Emulated,
    Vendor,
    mail_of,
)
from tests.support.waiting import until

ANSWER_S = 3.0
LATE_WITHIN_S = 20.0
NEXT = count()
STRANGER, FOREIGN_SENDER = f"{CANARY}@elsewhere.example", "+15005550999"
PAGE = {"body": "<!DOCTYPE html><html></html>", "type": "text/html"}
BOTH: Mapping[Deed, Mapping[str, Any]] = {
    Deed.ACCEPT_AND_CUT: {"action": "lost"},
    Deed.ACCEPT_IN_SILENCE: {"action": "slow", "seconds": 2 * ANSWER_S},
    Deed.ACCEPT_AND_BABBLE: {"action": "replaced", **PAGE},
    Deed.REDIRECT: {"action": "refuse", "status": 302, "headers": {"location": "/elsewhere"}},
    Deed.CUT: {"action": "reset"},
    Deed.ACCEPT_LATE: {"action": "late"},
}


def answer(action: str, status: int, body: Mapping[str, Any], wait: str | None = None) -> Mapping[str, Any]:
    """Have the proxy say this, before emulate is asked (refuse) or in place of its answer (replaced)."""
    headers = {} if wait is None else {"retry-after": wait}
    return {"action": action, "status": status, "body": json.dumps(body), "headers": headers}


def no(action: str, status: int, error: str, wait: str | None = None) -> Mapping[str, Any]:
    """Say no as Slack does."""
    return answer(action, status, {"ok": False, "error": error}, wait)


def refusal(action: str, status: int, code: int, wait: str | None = None) -> Mapping[str, Any]:
    """Refuse as Twilio does, which says more than anybody may repeat."""
    return answer(action, status, {"code": code, "message": CANARY, "status": status}, wait)


SLACK: Mapping[Deed, Mapping[str, Any]] = {
    **BOTH,
    Deed.REFUSE_FOR_NOW: no("refuse", 429, "ratelimited"),  # emulate knows no limit
    Deed.WAIT_1_S: no("refuse", 429, "ratelimited", "1"),
    Deed.REFUSE_FOR_GOOD: no("refuse", 200, "invalid_blocks"),  # emulate takes any list of blocks
    Deed.NO_LOGIN: no("refuse", 200, "token_revoked"),  # emulate takes an unknown token for an admin's
    Deed.FAIL_BEFORE: no("refuse", 500, "internal_error"),
    Deed.ACCEPT_AND_FAIL: no("replaced", 500, "internal_error"),
    Deed.ACCEPT_AS_ANOTHER: answer("replaced", 200, {"ok": True, "channel": "D0000OTHER", "ts": "1390000000.000100"}),
}
TWILIO: Mapping[Deed, Mapping[str, Any]] = {
    **BOTH,
    Deed.REFUSE_FOR_NOW: refusal("refuse", 429, 20429),  # emulate knows no limit
    Deed.WAIT_1_S: refusal("refuse", 429, 20429, "1"),
    Deed.NOBODY: refusal("refuse", 400, 21211),  # emulate says 21201
    Deed.NO_LOGIN: refusal("refuse", 401, 20003),  # as emulate, too, for another token (tests/peers/test_twilio.py)
    Deed.FAIL_BEFORE: refusal("refuse", 500, 20500),
    Deed.ACCEPT_AND_FAIL: refusal("replaced", 500, 20500),
    Deed.ACCEPT_AS_ANOTHER: answer("replaced", 201, {"sid": f"SM{'0' * 32}", "to": "+15005550000"}),
}


@dataclass
class SlackPeer:
    """See Bench. Nobody: emulate itself knows no such person."""

    vendor: Vendor
    channel: SlackChannel
    mail: str
    asked: int
    secrets: Collection[str] = (SLACK_TOKEN,)

    @property
    def read_back(self) -> SlackChannel:
        return self.channel

    @property
    def bounds(self) -> Bounds:
        return self.channel.bounds

    def letter(self) -> Letter:
        return letter(self.mail, text=f"{CANARY} is due")

    def tell(self, *deeds: Deed) -> None:
        for deed in deeds:
            if deed is Deed.NOBODY:
                self.mail = STRANGER
            elif deed is not Deed.ACCEPT:
                self.vendor.err("chat.postMessage", **SLACK[deed])

    def accepted(self) -> Sequence[UUID]:
        client = WebClient(SLACK_TOKEN, f"{self.vendor.url}/api/")
        user = client.api_call("users.lookupByEmail", data={"email": self.mail})
        place = client.api_call("conversations.open", data={"users": user["user"]["id"]})
        form = {"channel": place["channel"]["id"], "include_all_metadata": "1", "limit": "100"}
        held = client.api_call("conversations.history", data=form)["messages"]
        return [UUID(one["metadata"]["event_payload"]["outreach_id"]) for one in reversed(held)]

    def requests(self) -> int:
        return self.vendor.asked("POST", "/chat.postMessage") - self.asked

    async def let_late_arrive(self) -> None:
        self.vendor.let_go()
        await until(self.accepted, LATE_WITHIN_S)


@dataclass
class SmsPeer:
    """See Bench. For good: emulate itself refuses a sender that is not this account's."""

    vendor: Vendor
    channel: TwilioSms
    number: str
    asked: int
    sender: str = TWILIO_NUMBER
    written: dict[str, UUID] = field(default_factory=dict)

    @property
    def secrets(self) -> Collection[str]:
        return TWILIO_TOKEN, self.number, self.number.removeprefix("+")

    @property
    def read_back(self) -> TwilioSms:
        return self.channel

    @property
    def bounds(self) -> Bounds:
        return self.channel.bounds

    def letter(self) -> Letter:
        one = letter(self.number, self.sender, f"{CANARY} is due")
        self.written[short_token(TENANT, one.outreach_id)] = one.outreach_id
        return one

    def tell(self, *deeds: Deed) -> None:
        for deed in deeds:
            if deed is Deed.REFUSE_FOR_GOOD:
                self.sender = FOREIGN_SENDER
            elif deed is not Deed.ACCEPT:
                self.vendor.err("Messages.json", **TWILIO[deed])

    def accepted(self) -> Sequence[UUID]:
        url = f"{self.vendor.url}/2010-04-01/Accounts/{TWILIO_SID}/Messages.json?To={quote(self.number)}"
        login = b64encode(f"{TWILIO_SID}:{TWILIO_TOKEN}".encode()).decode()
        asking = Request(url, headers={"Authorization": f"Basic {login}"})  # noqa: S310 - a peer on this machine
        with urlopen(asking, timeout=10) as said:  # noqa: S310 - a peer on this machine
            held = json.load(said)["messages"]
        return [self.written[one["body"].rpartition(" ")[2]] for one in reversed(held)]

    def requests(self) -> int:
        return self.vendor.asked("POST", "/Messages.json") - self.asked

    async def let_late_arrive(self) -> None:
        self.vendor.let_go()
        await until(self.accepted, LATE_WITHIN_S)


@asynccontextmanager
async def slack_peer(vendors: Emulated) -> AsyncIterator[SlackPeer]:
    """Slack's adapter before emulate, writing to somebody new."""
    vendor = vendors.slack
    settings = SlackSettings(SLACK_TOKEN, vendor.faulty_url, loopback_only=True, answer_timeout_s=ANSWER_S)
    channel = SlackChannel(settings)
    try:
        yield SlackPeer(vendor, channel, mail_of(CANARIES[next(NEXT)]), vendor.asked("POST", "/chat.postMessage"))
    finally:
        vendor.forget()
        await channel.close()


@asynccontextmanager
async def sms_peer(vendors: Emulated) -> AsyncIterator[SmsPeer]:
    """Twilio's adapter before emulate, writing to a new number."""
    vendor = vendors.twilio
    url = vendor.faulty_url
    settings = TwilioSettings(TWILIO_SID, TWILIO_TOKEN, url, loopback_only=True, answer_timeout_s=ANSWER_S)
    channel = TwilioSms(settings, SystemClock())
    try:
        yield SmsPeer(vendor, channel, f"+4474001{next(NEXT):05}", vendor.asked("POST", "/Messages.json"))
    finally:
        vendor.forget()
        await channel.close()
