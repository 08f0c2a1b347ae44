"""A provider's desk that deals each message the fault that its deck holds, once, and is honest from then on."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.faults.vendors.desk import JSON, Desk
from tests.faults.vendors.http import Cut, Reply, Reset
from tests.faults.vendors.matrix import RETRY_AFTER_S, Deck, Fault, number_of, taken

HONEST = "honest"
DATE_S = 1 + RETRY_AFTER_S[Fault.LIMIT_DATE]  # a date has no fractions of a second
LIMITS = {
    Fault.LIMIT_INTEGER: "5",
    Fault.LIMIT_ABSENT: "",
    Fault.LIMIT_ZERO: "0",
    Fault.LIMIT_NEGATIVE: "-5",
    Fault.LIMIT_FRACTION: "5.5",
    Fault.LIMIT_DAY: "86400",
}
DRIP_S = 0.05
SAID_NO = {
    "slack": Reply('{"ok":false,"error":"invalid_blocks"}'),
    "twilio": Reply('{"code":21606,"message":"no","status":400}', 400),
}
SAID_WHAT = {
    "slack": Reply('{"ok":false,"error":"fatal_error"}'),
    "twilio": Reply('{"code":30001,"message":"what","status":400}', 400),
}
OTHERS = {"slack": {"channel": "D0OTHERPLACE"}, "twilio": {"to": "+447400999999"}}
"""Fields of an answer that names somebody else's message."""
HTML = {"Content-Type": "text/html"}
ERRORS = frozenset({Fault.ERROR_BEFORE, Fault.ERROR_AFTER, Fault.LAG, Fault.BLIND})


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late things happen, in seconds from the request."""

    answer_s: float  # later than any client waits
    accept_s: float
    readable_s: float


@dataclass(slots=True, kw_only=True)
class DealingDesk(Desk):
    """Deals faults; `vendor` is whose words it speaks."""

    vendor: str
    deck: Deck
    late: Lateness
    dealt: set[int] = field(default_factory=set)

    async def take(self, name: str, entry: dict[str, Any], place: str, honest: Callable[[], str]) -> Reply:  # noqa: ARG002 - the desk's signature
        """Take a message as its fault wants it; raises Cut or Reset."""
        about = entry["metadata"].get("event_payload", {}).get("about", "") if "metadata" in entry else entry["to"]
        number = number_of(str(about))
        first = number is not None and number in self.deck and number not in self.dealt
        fault = self.deck[number][1] if first and number is not None else None
        entry["number"] = number
        deed = HONEST if fault is None else fault
        self.faults.add({"at": time.time(), "deed": deed, "number": number, "place": place})
        if number is None or fault is None:
            await self._keep(entry, place)
            return Reply(honest())
        self.dealt.add(number)
        if fault is Fault.LATE_ACCEPT:
            await asyncio.sleep(self.late.accept_s)
            entry["at"] = time.time()
        if taken(number, fault):
            entry["blind"] = fault is Fault.BLIND
            await self._keep(entry, place, self.late.readable_s if fault is Fault.LAG else 0)
        return await self._said(fault, honest)

    async def ask(self, recipient: str, question: str, honest: Callable[[], str]) -> Reply:  # noqa: ARG002 - likewise
        """Answer every question: the deck is about messages."""
        return Reply(honest())

    async def _keep(self, entry: dict[str, Any], place: str, readable_s: float = 0) -> None:
        """Accept, and let it be read at once or later."""
        await self._accept(entry)
        if readable_s:
            self._begin(self._readable(entry, place, readable_s))
        else:
            self.held.setdefault(place, []).append(entry)

    async def _readable(self, entry: dict[str, Any], place: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        self.held.setdefault(place, []).append(entry)

    async def _said(self, fault: Fault, honest: Callable[[], str]) -> Reply:
        """Write what a fault says; raises Cut or Reset where it says nothing."""
        if fault in {Fault.CUT_BEFORE, Fault.CUT_AFTER}:
            raise Cut
        if fault is Fault.RESET:
            raise Reset
        if fault in ERRORS:
            return Reply("<html>Internal Server Error</html>", 500, HTML)
        if fault is Fault.LIMIT_DATE or fault in LIMITS:
            soon = format_datetime(datetime.now(UTC) + timedelta(seconds=DATE_S), usegmt=True)
            wait = LIMITS.get(fault, soon)
            said = '{"ok":false,"error":"ratelimited","code":20429}'
            return Reply(said, 429, JSON | ({"Retry-After": wait} if wait else {}))
        if fault is Fault.SLOW_ANSWER:
            await asyncio.sleep(self.late.answer_s)
        return self._answer(fault, honest)

    def _answer(self, fault: Fault, honest: Callable[[], str]) -> Reply:
        plain = {
            Fault.SAID_NO: SAID_NO[self.vendor],
            Fault.SAID_WHAT: SAID_WHAT[self.vendor],
            Fault.NO_JSON: Reply("<html>Welcome</html>", 200, HTML),
            Fault.ELSEWHERE: Reply("", 302, {"Location": "/elsewhere"}),
        }
        if fault is Fault.ANOTHER_ID:
            return Reply(json.dumps(json.loads(honest()) | OTHERS[self.vendor]))
        return plain.get(fault) or Reply(honest(), drip_s=DRIP_S if fault is Fault.DRIP else 0)
