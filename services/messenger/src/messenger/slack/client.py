"""Slack's own client on our way out by HTTP: it repeats nothing, obeys no proxy, and asks for what it reads by POST."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import ClientResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from duly_chassis.clock import SystemClock
from duly_chassis.loopback import is_loopback
from messenger.http.client import HttpClient, HttpSettings
from messenger.http.retry_after import http_date, retry_after_s
from messenger.slack.answers import Reply

SLACK_URL = "https://slack.com/api/"
POST_MESSAGE = "/chat.postMessage"


@dataclass(frozen=True, slots=True)
class SlackSettings:
    """One workspace and the app that speaks there."""

    token: str = field(repr=False)  # xoxb-
    url: str = SLACK_URL
    loopback_only: bool = False
    prepare_timeout_s: float = 10.0  # who it is for and where, until the post stands before the gate
    answer_timeout_s: float = 10.0
    late_acceptance_s: float = 15.0  # how long after its own timeout a post may still be taken
    readback_lag_s: float = 10.0  # how long what was taken may be missing from the history

    def http(self) -> HttpSettings:
        """Say how it is reached; raises HttpUrlError."""
        return HttpSettings(
            url=api_url(self.url),
            gated_ends=(POST_MESSAGE,),
            loopback_only=self.loopback_only,
            prepare_timeout_s=self.prepare_timeout_s,
            answer_timeout_s=self.answer_timeout_s,
        )


def api_url(url: str) -> str:
    """Return the address of the methods; a stand-in on this machine may be named without /api/."""
    whole = url.strip().rstrip("/") + "/"
    parts = urlsplit(whole)
    return f"{whole}api/" if parts.path == "/" and is_loopback(parts.hostname or "") else whole


class SlackClient(AsyncWebClient):
    """The SDK's client over our session. Every call ends in a Reply, or raises what the way out raises."""

    def __init__(self, settings: SlackSettings, http: HttpClient) -> None:
        quiet = logging.getLogger("messenger.slack_sdk")
        quiet.setLevel(logging.WARNING)  # below it the SDK says what it sends and hears
        super().__init__(token=settings.token, base_url=http.settings.url, logger=quiet, retry_handlers=[])
        self.proxy = None  # the SDK takes one from the environment, and hands it the token
        self._http = http

    async def api_call(
        self,
        api_method: str,
        *,
        http_verb: str = "POST",
        params: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> AsyncSlackResponse:
        """Ask by POST with a form also where the SDK would by GET: both are taken, and a URL is logged by others."""
        self.session = self._http.session  # a closed one the SDK would replace by one without a gate: this raises
        if params is None:
            return await super().api_call(api_method, http_verb=http_verb, **rest)
        form = {name: str(int(value)) if isinstance(value, bool) else value for name, value in params.items()}
        return await super().api_call(api_method, http_verb="POST", data=form, **rest)


async def replied(call: Any) -> Reply:
    """Await a call and return what Slack said, whether the SDK likes it or not; raises what the way out raises."""
    reply, _ = await answered(call)
    return reply


async def answered(call: Any) -> tuple[Reply, Mapping[str, str]]:
    """Await a call and return also the headers of its answer, their names in small letters."""
    try:
        response = await call
    except SlackApiError as error:
        response = error.response
    if isinstance(response, AsyncSlackResponse):
        status, data = response.status_code, response.data
    elif isinstance(response, ClientResponse):  # a body that was no JSON
        status, data = response.status, {}
    else:
        raise TypeError("no answer of Slack's")
    told = {name.lower(): str(value) for name, value in response.headers.items()}
    now = http_date(told.get("date")) or SystemClock().now()
    reply = Reply(status, data if isinstance(data, dict) else {}, retry_after_s(told.get("retry-after"), now))
    return reply, told
