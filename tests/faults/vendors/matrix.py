"""The faults of the provider matrix, and the deck that says which message meets which.

Messages have numbers, one recipient each; a provider knows the number from whom it is to write to.
"""

import json
import random
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

EACH = 20
SHARED_BY = 4


class Fault(StrEnum):
    """What a provider does to the first attempt at a message; to every later one it is honest."""

    LIMIT_INTEGER = "429 integer"
    LIMIT_DATE = "429 date"
    LIMIT_ABSENT = "429 absent"
    LIMIT_ZERO = "429 zero"
    LIMIT_NEGATIVE = "429 negative"
    LIMIT_FRACTION = "429 fraction"
    LIMIT_DAY = "429 day"
    ERROR_BEFORE = "500 before"
    ERROR_AFTER = "500 after"
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    RESET = "reset"  # taken or not
    SLOW_ANSWER = "answer after timeout"
    LATE_ACCEPT = "late accept"
    LAG = "read-back lag"
    BLIND = "blind read-back"
    SAID_NO = "refused in words"  # 200 ok:false, or Twilio's 400 with a code: certain, and for good
    SAID_WHAT = "failed in words"  # the same with a word that promises nothing: taken or not
    NO_JSON = "not JSON"  # taken or not
    ANOTHER_ID = "another id"
    ELSEWHERE = "302"  # taken or not
    DRIP = "slow drip"

    MAIL_LOST = "250 lost"
    MAIL_421 = "421"
    MAIL_451 = "451"
    MAIL_552 = "552"
    MAIL_CUT = "cut in the body"
    MAIL_DRIP = "250 in drips"
    MAIL_SLOW = "250 after timeout"
    MAIL_BACK = "bounced"  # after its 250
    MAIL_LOST_BACK = "250 lost, bounced"
    NO_TLS = "no TLS"  # a connection's, not a mail's


BY_HTTP = tuple(list(Fault)[: list(Fault).index(Fault.MAIL_LOST)])
BY_SMTP = tuple(list(Fault)[list(Fault).index(Fault.MAIL_LOST) :])
FAULTS: Mapping[str, tuple[Fault, ...]] = {"slack": BY_HTTP, "sms": BY_HTTP, "mail": BY_SMTP}
"""Which apply to which channel."""

TAKEN = frozenset(
    {Fault.ERROR_AFTER, Fault.CUT_AFTER, Fault.SLOW_ANSWER, Fault.LATE_ACCEPT, Fault.LAG, Fault.BLIND}
    | {Fault.ANOTHER_ID, Fault.DRIP, Fault.MAIL_LOST, Fault.MAIL_DRIP, Fault.MAIL_SLOW}
    | {Fault.MAIL_BACK, Fault.MAIL_LOST_BACK}
)
"""The provider took the message."""
BOUNCED = frozenset({Fault.MAIL_BACK, Fault.MAIL_LOST_BACK})
"""The relay took the mail, and brings it back."""
TAKEN_OR_NOT = frozenset({Fault.RESET, Fault.SAID_WHAT, Fault.NO_JSON, Fault.ELSEWHERE})
"""By the message's number: it is even."""
RETRY_AFTER_S: Mapping[Fault, float] = {
    Fault.LIMIT_INTEGER: 5,
    Fault.LIMIT_DATE: 6,
    Fault.LIMIT_FRACTION: 5.5,
    Fault.LIMIT_DAY: 86_400,
}
"""The shortest wait that was asked for; the other forms ask for none."""

RECIPIENT = re.compile(r"cnry[a-z]+p(\d+)@")
MOBILE = re.compile(r"\+4474(\d{8})")
ABOUT = re.compile(r"m(\d{4})")
Deck = Mapping[int, tuple[str, Fault]]
"""By a message's number: its channel, and its fault."""


def shuffled(seed: int, each: int = EACH) -> Deck:
    """Draw the deck: every fault of every channel so many times."""
    cards = [(channel, fault) for channel, faults in FAULTS.items() for fault in faults for _ in range(each)]
    random.Random(f"matrix-{seed}").shuffle(cards)  # noqa: S311 - repeatable, not secret
    return dict(enumerate(cards))


def shared(deck: Deck) -> dict[int, int]:
    """Return whose each message is, by the number of their first one: in Slack four of one fault are one person's."""
    whose = {number: number for number in deck}
    for fault in BY_HTTP:
        if fault is not Fault.LIMIT_DAY:  # one would hold back the others for a day
            same = [number for number, card in deck.items() if card == ("slack", fault)]
            whose |= {number: same[place - place % SHARED_BY] for place, number in enumerate(same)}
    return whose


def taken(number: int, fault: Fault) -> bool:
    """Tell whether the provider takes the message although it does not say so."""
    return fault in TAKEN or (fault in TAKEN_OR_NOT and number % 2 == 0)


def write(deck: Deck, path: Path) -> None:
    """Lay it down for the providers and the judge."""
    path.write_text(json.dumps([[number, *card] for number, card in deck.items()]), encoding="ascii")


def read(path: Path) -> Deck:
    """Take it up."""
    return {number: (channel, Fault(fault)) for number, channel, fault in json.loads(path.read_text(encoding="ascii"))}


def number_of(whom: str) -> int | None:
    """Return whose message it is, by mail address, mobile number or what the message is about."""
    for form in (RECIPIENT, MOBILE, ABOUT):
        if found := form.search(whom):
            return int(found[1])
    return None
