"""What `duly doctor` asks Twilio: the account, whose number or messaging service our sender is, and what time it is.

Only GET requests: no text is made, nothing is changed.
"""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from json import JSONDecodeError
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from aiohttp import ClientError

from duly_chassis.clock import SystemClock
from duly_chassis.doctor import Check, Finding, not_set_up, ok, problem, warning
from duly_chassis.loopback import is_loopback
from messenger.http import doctor as http_doctor
from messenger.http.client import HttpClient, HttpSettings, HttpUrlError
from messenger.settings import Settings
from messenger.twilio.client import GATED, TwilioSettings

NAME, SENDER, CALLBACKS, ANSWERS = "Twilio", "SMS sender", "Twilio callbacks", "SMS answers"
DEADLINE_S = 12.0
API = "/2010-04-01/Accounts"
MESSAGING_HOST = "messaging.twilio.com"
MESSAGING_PREFIX = "/messaging"  # where one address is all of Twilio
INBOUND = "/v1/twilio/inbound"
CREDENTIALS = "set DULY_TWILIO_ACCOUNT_SID and DULY_TWILIO_AUTH_TOKEN as Twilio's console shows them"
OF_THE_ACCOUNT = "set DULY_SMS_FROM or DULY_TWILIO_MESSAGING_SERVICE_SID to one of this account"
SERVICE_SID = re.compile(r"MG[0-9a-f]{32}")
SHORT_CODE = re.compile(r"[0-9]{3,8}")
ELSEWHERE = "correct DULY_TWILIO_URL, or see whether a proxy or a portal stands between"


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: its status, its JSON object, empty where there was none, and its headers."""

    status: int
    data: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str]

    def listed(self, name: str) -> list[Mapping[str, Any]]:
        """Return a list of objects of the answer."""
        found = self.data.get(name)
        return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


class Refused(Exception):
    """Twilio did not answer what was asked; carries what is found of it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.name)
        self.finding = finding


def checks(settings: Settings) -> tuple[Check, ...]:
    """Return what is asked of Twilio."""

    async def ask() -> Sequence[Finding]:
        try:
            twilio = settings.twilio(loopback_only=settings.loopback_only)
        except HttpUrlError as error:
            return [http_doctor.unreached(NAME, error)]
        if twilio is None:
            return [not_set_up(NAME, "DULY_TWILIO_ACCOUNT_SID is not set: nobody hears by SMS", CREDENTIALS)]
        return [*await _asked(twilio, settings.text_sender), callbacks(settings.public_url)]

    return (Check(NAME, ask, DEADLINE_S),)


async def _asked(settings: TwilioSettings, sender: str) -> list[Finding]:
    wall, found = SystemClock(), []
    before = wall.now()
    try:
        async with AsyncExitStack() as stack:
            ask = _Asking(settings, stack)
            account = await ask.account("")
            found += http_doctor.clock("Twilio clock", account.headers, before, wall.now())
            found.insert(0, _account(account))
            found += await _sender(ask, sender, settings.public_url)
    except Refused as refused:
        found.append(refused.finding)
    except (ClientError, HttpUrlError) as error:
        found.append(http_doctor.unreached(NAME, error))
    return found


class _Asking:
    """Asks as this account, over the house's one way out, at the hosts that Twilio has for it."""

    def __init__(self, settings: TwilioSettings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        word = b64encode(f"{settings.account_sid}:{settings.auth_token}".encode()).decode("ascii")
        self._headers = {"Authorization": f"Basic {word}"}

    async def account(self, path: str, **query: str) -> Told:
        """Ask about the account; raises Refused or ClientError."""
        return await self._get(self._settings.url, f"{API}/{self._settings.account_sid}{path}.json", query)

    async def messaging(self, path: str) -> Told:
        """Ask about a messaging service; raises Refused or ClientError."""
        return await self._get(messaging_url(self._settings.url), f"/v1/Services/{path}", {})

    async def _get(self, url: str, path: str, query: Mapping[str, str]) -> Told:
        settings = HttpSettings(url=url, gated_ends=(GATED,), loopback_only=self._settings.loopback_only)
        http = HttpClient(settings)
        self._stack.push_async_callback(http.close)
        async with http.session.get(url.rstrip("/") + path, params=query, headers=self._headers) as response:
            try:
                data = await response.json(content_type=None)
            except (JSONDecodeError, UnicodeDecodeError):
                data = None
            headers = {name.lower(): value for name, value in response.headers.items()}
            told = Told(response.status, data if isinstance(data, dict) else {}, headers)
        if told.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND} and told.data:
            return told
        raise Refused(_refused(told))


def messaging_url(url: str) -> str:
    """Return where messaging services are: a host of its own at Twilio, a prefix at a stand-in."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host.endswith(".twilio.com") and host.startswith("api."):  # with edge and region it is longer
        netloc = parts.netloc.replace("api.", MESSAGING_HOST.partition(".")[0] + ".", 1)
        return urlunsplit((parts.scheme, netloc, "", "", ""))
    return url.rstrip("/") + MESSAGING_PREFIX


def _refused(told: Told) -> Finding:
    if told.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return problem(NAME, f"Twilio refuses account and token (HTTP {told.status})", CREDENTIALS)
    if told.status == HTTPStatus.TOO_MANY_REQUESTS:
        return warning(NAME, "Twilio asks us to wait, so nothing more is known", "ask again in a minute")
    if not told.data:
        return problem(NAME, f"what answers is not Twilio (HTTP {told.status})", ELSEWHERE)
    return problem(NAME, f"Twilio answers HTTP {told.status}", "try again later; status.twilio.com says how it is")


def _account(told: Told) -> Finding:
    if told.status == HTTPStatus.NOT_FOUND:
        return problem(NAME, "Twilio knows no such account", CREDENTIALS)
    status = told.data.get("status")
    if status != "active":
        shown = status if status in ("suspended", "closed") else "not known to be active"
        return problem(NAME, f"the account is {shown}", "see Twilio's console, or name another account")
    if told.data.get("type") == "Trial":
        wrong = "it is a trial account: only numbers that were verified are reached"
        return warning(NAME, wrong, "upgrade it in Twilio's console")
    return ok(NAME)


async def _sender(ask: _Asking, sender: str, public_url: str | None) -> list[Finding]:
    """Look for our sender in the account, by what kind of sender it is."""
    if SERVICE_SID.fullmatch(sender):
        return await _service(ask, sender, public_url)
    if sender.startswith("+"):
        return await _number(ask, sender, public_url)
    if SHORT_CODE.fullmatch(sender):
        told = await ask.account("/SMS/ShortCodes", ShortCode=sender)
        ours = [one for one in told.listed("short_codes") if one.get("short_code") == sender]
        if not ours:
            return [problem(SENDER, "this account has no such short code", OF_THE_ACCOUNT)]
        return [ok(SENDER), answers(ours[0].get("sms_url"), public_url)]
    wrong = "texts are from a name: nobody can answer it, not even with STOP, and some countries refuse it"
    return [warning(SENDER, wrong, "use a number or a messaging service where people must be able to answer")]


async def _number(ask: _Asking, sender: str, public_url: str | None) -> list[Finding]:
    """Look for our sender among the account's numbers."""
    told = await ask.account("/IncomingPhoneNumbers", PhoneNumber=sender)
    ours = [one for one in told.listed("incoming_phone_numbers") if one.get("phone_number") == sender]
    if not ours:
        return [problem(SENDER, "this account has no such number", OF_THE_ACCOUNT)]
    able = ours[0].get("capabilities")
    if not (isinstance(able, Mapping) and able.get("sms") is True):
        return [problem(SENDER, "the number cannot send texts", OF_THE_ACCOUNT)]
    return [ok(SENDER), answers(ours[0].get("sms_url"), public_url)]


async def _service(ask: _Asking, sid: str, public_url: str | None) -> list[Finding]:
    """Look at our messaging service, and whether it has anybody to send from."""
    told = await ask.messaging(sid)
    if told.status == HTTPStatus.NOT_FOUND:
        return [problem(SENDER, "this account has no such messaging service", OF_THE_ACCOUNT)]
    for path, name in (
        ("PhoneNumbers", "phone_numbers"),
        ("ShortCodes", "short_codes"),
        ("AlphaSenders", "alpha_senders"),
    ):
        if any(_sends_texts(one) for one in (await ask.messaging(f"{sid}/{path}")).listed(name)):
            break
    else:
        return [problem(SENDER, "the messaging service has no sender for texts", "add a number to its sender pool")]
    if told.data.get("use_inbound_webhook_on_number") is True:
        return [ok(SENDER), ok(ANSWERS, f"each number's own webhook must lead to <public_url>{INBOUND}")]
    return [ok(SENDER), answers(told.data.get("inbound_request_url"), public_url)]


def _sends_texts(sender: Mapping[str, Any]) -> bool:
    able = sender.get("capabilities")
    return not isinstance(able, list) or any(str(one).upper().startswith("SMS") for one in able)


def answers(webhook: object, public_url: str | None) -> Finding:
    """Say whether what people text back, such as STOP, comes to intake."""
    if public_url is not None and webhook == public_url.rstrip("/") + INBOUND:
        return ok(ANSWERS)
    wrong = "what people text back, such as STOP, does not come to Duly"
    return warning(
        ANSWERS, wrong, f"let the sender's incoming messages go to <public_url>{INBOUND} in Twilio's console"
    )


def callbacks(public_url: str | None) -> Finding:
    """Say whether Twilio can tell us what became of a text."""
    if public_url is None:
        wrong = "DULY_PUBLIC_URL is not set: nobody learns that a text was not delivered"
        return warning(CALLBACKS, wrong, "set it to intake's public https address")
    parts = urlsplit(public_url)
    if parts.scheme != "https" or is_loopback(parts.hostname or ""):
        return problem(
            CALLBACKS, "Twilio cannot reach public_url from outside", "set DULY_PUBLIC_URL to an https address"
        )
    return ok(CALLBACKS)
