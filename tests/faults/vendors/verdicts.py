"""Judge the provider matrix: what was accepted, what the ledger says of it, and whether each fault was dealt.

Shares nothing with Duly: the deck says what had to happen, the providers' own logs what did.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.faults.plan import IN_THE_OPEN, NO_TLS
from tests.faults.rules import Violation
from tests.faults.vendors.dealing import HONEST
from tests.faults.vendors.matrix import BOUNCED, FAULTS, RETRY_AFTER_S, Deck, Fault, number_of

WHOLE_DAY = 0.99
NO_SUCH_PERSON = "5.1.1"
"""What bounces say."""
UNDER_WAY_S = 0.5
"""So much later may a request of the same scope come: until the answer is read and kept, on a busy machine."""
PACE_S = 1.0
"""Slack's: the time between two requests about one place."""
HEARD_LATE_S = 0.1
"""So much later than it came may a provider on a busy machine note a request."""
CERTAIN = frozenset({fault for fault in Fault if fault.startswith("429")}) | {
    *(Fault.SAID_NO, Fault.MAIL_421, Fault.MAIL_451, Fault.MAIL_552, Fault.MAIL_DRIP, Fault.MAIL_BACK, Fault.NO_TLS)
}
"""Faults that leave no doubt; all others must be seen as one."""
SOON_SETTLED = frozenset({Fault.MAIL_LOST_BACK})
"""A bounce may come before the doubt is written down: it settles a mail that is on its way as well."""
REFUSED: Mapping[tuple[str, Fault], str] = {
    ("slack", Fault.SAID_NO): "invalid_blocks",
    ("sms", Fault.SAID_NO): "21606",
    ("mail", Fault.MAIL_552): "552",
    ("mail", Fault.MAIL_BACK): NO_SUCH_PERSON,
    ("mail", Fault.MAIL_LOST_BACK): NO_SUCH_PERSON,
}
"""How the provider's own code begins where a message is refused for good."""
PARKED: Mapping[Fault, int] = {Fault.BLIND: 1, Fault.MAIL_LOST: 1, Fault.MAIL_SLOW: 1, Fault.MAIL_CUT: 0}
"""Where nobody can say what became of a message: how often it was taken."""


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of one message; `waits_s` is the time from its last change to its next moment."""

    channel: str
    state: str
    code: str
    attempt: int
    provider_id: str | None = None
    waits_s: float = 0
    states: tuple[str, ...] = ()  # all it has been in


@dataclass(frozen=True, slots=True)
class Matrix:
    """All that is known of one round; logs by channel."""

    deck: Deck
    rows: dict[int, Row]
    accepts: dict[str, list[dict[str, Any]]]
    faults: dict[str, list[dict[str, Any]]]
    each: int

    def names(self) -> dict[int, list[str]]:
        """Return by message what the providers called it, once for each acceptance; under -1 what is nobody's."""
        found: dict[int, list[str]] = defaultdict(list)
        for channel, entries in self.accepts.items():
            for entry in entries:
                number = number_of(entry["to"][0]) if channel == "mail" else entry["number"]
                found[-1 if number is None or number not in self.deck else number].append(name_of(channel, entry))
        return found


def name_of(channel: str, entry: Mapping[str, Any]) -> str:
    """Return what the provider calls what it accepted."""
    if channel == "slack":
        return f"{entry['place']}/{entry['ts']}"
    return str(entry["sid"] if channel == "sms" else entry["headers"]["message-id"])


def judge(matrix: Matrix) -> list[Violation]:
    """Apply every rule."""
    found, names = [*_dealt(matrix), *_manners(matrix), *_pace(matrix), *_open(matrix)], matrix.names()
    for number, (channel, fault) in matrix.deck.items():
        who = f"m{number:04} ({channel}, {fault})"
        row = matrix.rows.get(number)
        if row is None:
            found.append(Violation("I1 lost", f"{who}: no row"))
        else:
            found += _message(who, (channel, fault), row, names[number])
    return found + [Violation("I2 stray", name) for name in names[-1]]


def _message(who: str, card: tuple[str, Fault], row: Row, names: list[str]) -> Iterator[Violation]:
    """Judge one message: how often it was taken, and where it stands."""
    (channel, fault), times = card, len(names)
    state, least = due_to_be(channel, fault)
    stands = f"{who}: {row.state} {row.code}, accepted {times} times"
    if row.channel != channel:
        yield Violation("elsewhere", f"{who}: on {row.channel}")
    if times > 1:
        yield Violation("I2 doubled", stands)
    if fault not in CERTAIN | SOON_SETTLED and "in_doubt" not in row.states:
        yield Violation("undoubted", f"{who}: {row.states}")
    if row.state == "parked" and state != "parked":
        yield Violation("parked without cause", stands)
    elif times < least:
        yield Violation("I1 lost", stands)
    elif row.state != state:
        yield Violation("I1 unsettled", f"{stands}; it should be {state}")
    elif state == "sent" and row.provider_id not in names:
        yield Violation("I1 unsettled", f"{who}: {row.provider_id} is none of {names}")
    elif state in {"refused", "due"}:
        yield from _untaken(who, card, row, times)


def due_to_be(channel: str, fault: Fault) -> tuple[str, int]:
    """Return the state in which a message must end, and how often it must have been taken at least."""
    if fault in PARKED:
        return "parked", PARKED[fault]
    if (channel, fault) in REFUSED:
        return "refused", int(fault in BOUNCED)
    return ("due", 0) if fault is Fault.LIMIT_DAY else ("sent", 1)


def _untaken(who: str, card: tuple[str, Fault], row: Row, times: int) -> Iterator[Violation]:
    """Judge a message that was refused: for good with the planned code, or for a day; or that came back."""
    if times and card[1] not in BOUNCED:
        yield Violation("I2 refused and taken", f"{who}: accepted {times} times")
    if not row.code.startswith(REFUSED.get(card, "")):
        yield Violation("I1 unrefused", f"{who}: {row.code}")
    if row.state == "due" and (row.attempt != 1 or row.waits_s < WHOLE_DAY * RETRY_AFTER_S[card[1]]):
        yield Violation("I10 day", f"{who}: {row.attempt} attempts, waits {row.waits_s:.0f} s")


def _dealt(matrix: Matrix) -> Iterator[Violation]:
    """Each fault was dealt to each of its providers as often as planned."""
    done = dealt(matrix)
    for channel, faults in FAULTS.items():
        for fault in faults:
            if done[channel, fault] != matrix.each:
                yield Violation("too few", f"{done[channel, fault]} of {matrix.each} {fault} at {channel}")


def dealt(matrix: Matrix) -> Counter[tuple[str, Fault]]:
    """Count what the providers did, by channel."""
    done: Counter[tuple[str, Fault]] = Counter()
    for channel, entries in matrix.faults.items():
        for entry in entries:
            if channel != "mail":
                if entry["deed"] != HONEST:
                    done[channel, Fault(entry["deed"])] += 1
            elif entry["deed"] == NO_TLS:
                done[channel, Fault.NO_TLS] += 1
            elif entry["to"] and entry["deed"] != IN_THE_OPEN:
                number = number_of(entry["to"])
                done[channel, matrix.deck[-1 if number is None else number][1]] += 1
    return done


def _open(matrix: Matrix) -> Iterator[Violation]:
    """No mail is begun or taken without TLS."""
    for entry in matrix.faults["mail"]:
        if entry["deed"] == IN_THE_OPEN:
            yield Violation("in the open", f"{entry['at']:.3f}")
    for entry in matrix.accepts["mail"]:
        if not entry["secure"]:
            yield Violation("in the open", f"{entry['to']}")


def _manners(matrix: Matrix) -> Iterator[Violation]:
    """Nobody comes back before the time that was asked for (I10), with this message or another of the scope.

    At Slack that is the place, which several messages share. At Twilio it is the account: a fault's messages are one
    account's, but for those that wait a day.
    """
    for channel, scope in (("slack", "place"), ("sms", "account")):
        came: dict[int, list[float]] = defaultdict(list)
        shared: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for entry in matrix.faults[channel]:
            number = entry["number"]
            if number in matrix.deck:
                fault = matrix.deck[number][1]
                came[number].append(entry["at"])
                alone = channel == "slack" or fault is Fault.LIMIT_DAY
                shared[entry["place"] if alone else fault].append((entry["at"], number))
        for number, times in came.items():
            fault = matrix.deck[number][1]
            who, ends_at = f"m{number:04} ({channel}, {fault})", times[0] + RETRY_AFTER_S.get(fault, 0.0)
            if len(times) > 1 and times[1] < ends_at:
                yield Violation("I10 manners", f"{who}: {ends_at - times[1]:.1f} s early")
            beside = next(one for one in shared.values() if (times[0], number) in one)
            early = [at - times[0] for at, other in beside if other != number and times[0] < at < ends_at]
            if late := [f"{after_s:.2f}" for after_s in early if after_s > UNDER_WAY_S]:
                yield Violation(f"I10 {scope}", f"{who}: requests {', '.join(late)} s after it was told")


def _pace(matrix: Matrix) -> Iterator[Violation]:
    """No two requests about one place come less than Slack's second apart, whatever happens to them (I10)."""
    for place, gap_s in gaps(matrix):
        if gap_s < PACE_S - HEARD_LATE_S:
            yield Violation("I10 pace", f"{place}: {gap_s:.3f} s between two requests")


def gaps(matrix: Matrix) -> Iterator[tuple[str, float]]:
    """Return the times between one request about a place in Slack and the next, each with its place."""
    came: dict[str, list[float]] = defaultdict(list)
    for entry in matrix.faults["slack"]:
        came[entry["place"]].append(entry["at"])
    for place, times in came.items():
        yield from ((place, after - before) for before, after in pairwise(sorted(times)))
