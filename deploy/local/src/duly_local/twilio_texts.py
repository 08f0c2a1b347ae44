"""What a fake Twilio knows: its texts, newest first, who texted STOP, and which numbers it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import uuid4

from duly_local.accept_log import AcceptLog, wall_now

API = "2010-04-01"
PAGE_TEXTS, PAGE_TEXTS_MAX = 50, 1_000
STOP_WORDS = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"}
START_WORDS = {"START", "YES", "UNSTOP"}


@dataclass(slots=True)
class Text:
    """One text, in Twilio's words."""

    sid: str
    to: str
    sender: str
    service: str | None
    body: str
    created_at: datetime
    callback: str
    status: str
    direction: str = "outbound-api"
    sent_at: datetime | None = None
    error_code: int | None = None


@dataclass(slots=True)
class Texts:
    """The texts of one account."""

    account: str
    log: AcceptLog
    by_sid: dict[str, Text] = field(default_factory=dict)
    by_recipient: dict[str, list[Text]] = field(default_factory=dict)
    asked: int = 0
    """Requests for a text."""
    stopped: set[tuple[str, str]] = field(default_factory=set)
    """Number and sender: who texted STOP to whom."""
    refused: dict[str, int] = field(default_factory=dict)
    """By number: the code that its texts are refused with."""

    def __post_init__(self) -> None:
        """Know again what was accepted before this process."""
        for line in self.log.known:
            at = datetime.fromisoformat(line["at"])
            text = Text(**{one: line[one] for one in KEPT}, created_at=at, sent_at=at, status="delivered")
            self._keep(text)

    async def accept(self, form: Mapping[str, str]) -> Text:
        """Take a text for good: it stands in the log before this returns."""
        service = form.get("MessagingServiceSid")
        text = Text(
            sid=f"SM{uuid4().hex}",
            to=form["To"],
            sender=form.get("From", ""),
            service=service,
            body=form["Body"],
            created_at=wall_now(),
            callback=form.get("StatusCallback", ""),
            status="accepted" if service else "queued",
        )
        await self.log.put({one: getattr(text, one) for one in KEPT} | {"at": text.created_at.isoformat()})
        self._keep(text)
        return text

    def arrived(self, sender: str, to: str, body: str) -> Text:
        """Note a text from a person; STOP and START are obeyed for their number and ours."""
        word = body.strip().upper()
        if word in STOP_WORDS:
            self.stopped.add((sender, to))
        elif word in START_WORDS:
            self.stopped.discard((sender, to))
        return Text(f"SM{uuid4().hex}", to, sender, None, body, wall_now(), "", "received", "inbound")

    def move(self, text: Text, status: str, error_code: int | None = None) -> None:
        """Let a text go on; with its leaving it gets the day that lists are asked by."""
        text.status, text.error_code = status, error_code
        if status in {"sent", "delivered", "undelivered"} and text.sent_at is None:
            text.sent_at = wall_now()

    def listed(self, query: Mapping[str, str], hidden_s: float) -> list[Text]:
        """Return what a list shows, newest first; what was accepted later than `hidden_s` ago is not shown yet."""
        there = self.by_recipient.get(query["To"], []) if "To" in query else list(self.by_sid.values())
        before = wall_now() - timedelta(seconds=hidden_s)
        return [one for one in reversed(there) if one.created_at <= before and _asked(one, query)]

    def shown(self, text: Text) -> dict[str, Any]:
        """Write a text as the API does."""
        uri = f"/{API}/Accounts/{self.account}/Messages/{text.sid}"
        return {
            "account_sid": self.account,
            "api_version": API,
            "body": text.body,
            "date_created": _rfc2822(text.created_at),
            "date_sent": _rfc2822(text.sent_at),
            "date_updated": _rfc2822(text.sent_at or text.created_at),
            "direction": text.direction,
            "error_code": text.error_code,
            "error_message": None,
            "from": text.sender or None,
            "messaging_service_sid": text.service,
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": None,
            "sid": text.sid,
            "status": text.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": text.to,
            "uri": f"{uri}.json",
        }

    def _keep(self, text: Text) -> None:
        self.by_sid[text.sid] = text
        self.by_recipient.setdefault(text.to, []).append(text)


KEPT = ("sid", "to", "sender", "service", "body", "callback")


def _asked(text: Text, query: Mapping[str, str]) -> bool:
    """Tell whether a text is asked for; one that has not left has no day, and no question for a day finds it."""
    if "From" in query and text.sender != query["From"]:
        return False
    days = {sign: query[f"DateSent{sign}"][:10] for sign in ("", "<", ">") if f"DateSent{sign}" in query}
    if not days:
        return True
    if text.sent_at is None:
        return False
    day = text.sent_at.astimezone(UTC).date().isoformat()
    fits = {"": day == days.get(""), "<": day <= days.get("<", ""), ">": day >= days.get(">", "")}
    return all(fits[sign] for sign in days)


def _rfc2822(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment.astimezone(UTC).replace(microsecond=0))
