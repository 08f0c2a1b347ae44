"""The judge of the provider matrix finds what is planted, and nothing in a round in which all went well."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.plan import IN_THE_OPEN, NO_TLS, Plan, Shares, Where
from tests.faults.vendors import matrix
from tests.faults.vendors.dealing import HONEST
from tests.faults.vendors.matrix import BOUNCED, EACH, FAULTS, Deck, Fault
from tests.faults.vendors.posting import DealtPlan
from tests.faults.vendors.verdicts import CERTAIN, NO_SUCH_PERSON, PARKED, REFUSED, Matrix, Row, due_to_be, judge

CODES = {"slack": "invalid_blocks", "sms": "21606", "mail": "552 4.3.0"}


def clean(deck: Deck) -> Matrix:
    """Make what a round leaves behind in which everything went as it should."""
    rows: dict[int, Row] = {}
    accepts: dict[str, list[dict[str, Any]]] = {channel: [] for channel in FAULTS}
    faults: dict[str, list[dict[str, Any]]] = {channel: [] for channel in FAULTS}
    for number, (channel, fault) in deck.items():
        state, _ = due_to_be(channel, fault)
        states = ("due", "posting", *(() if fault in CERTAIN else ("in_doubt",)), state)
        code = CODES[channel] if (channel, fault) in REFUSED else ""
        code = NO_SUCH_PERSON if fault in BOUNCED else code
        rows[number] = Row(channel, state, code, 1, f"id{number}", 86_400 if state == "due" else 0, states)
        if state == "sent" or PARKED.get(fault) or fault in BOUNCED:
            accepts[channel].append(acceptance(number, channel))
        faults[channel].append(deed(number, channel, fault))
    for channel in ("slack", "sms"):
        rows |= {n: replace(row, provider_id=f"D/{n}") for n, row in rows.items() if row.channel == "slack"}
        faults[channel] += [deed(entry["number"], channel, HONEST) | {"at": 99.0} for entry in accepts[channel]]
    return Matrix(deck, rows, accepts, faults, 1)


def acceptance(number: int, channel: str) -> dict[str, Any]:
    """Accept one message."""
    if channel == "mail":
        to = [f"cnryap{number:04}@nochat.example"]
        return {"to": to, "headers": {"message-id": f"id{number}"}, "secure": True}
    return {"number": number, "place": "D", "ts": f"{number}", "sid": f"id{number}"}


def deed(number: int, channel: str, fault: str) -> dict[str, Any]:
    """Note one fault."""
    if channel == "mail":
        return {"at": 0.0, "deed": NO_TLS if fault is Fault.NO_TLS else "refused", "to": f"cnryap{number:04}@nochat."}
    return {"at": 0.0, "deed": fault, "number": number, "place": f"D{number}"}


@pytest.fixture
def deck() -> dict[int, tuple[str, Fault]]:
    return dict(matrix.shuffled(1, each=1))


def numbered(deck: Deck, channel: str, fault: Fault) -> int:
    return next(number for number, card in deck.items() if card == (channel, fault))


def kinds(found: Matrix) -> list[str]:
    return sorted({violation.kind for violation in judge(found)})


def test_judge_finds_nothing_when_all_went_well(deck: Deck) -> None:
    assert judge(clean(deck)) == []


@pytest.mark.parametrize("channel", FAULTS)
def test_judge_finds_an_extra_acceptance(deck: Deck, channel: str) -> None:
    found = clean(deck)
    found.accepts[channel].append(found.accepts[channel][0])

    assert kinds(found) == ["I2 doubled"]


@pytest.mark.parametrize(
    ("channel", "fault"), [("slack", Fault.LAG), ("sms", Fault.ERROR_BEFORE), ("mail", Fault.MAIL_451)]
)
def test_judge_finds_a_lost_message(deck: Deck, channel: str, fault: Fault) -> None:
    found, number = clean(deck), numbered(deck, channel, fault)
    found.accepts[channel][:] = [entry for entry in found.accepts[channel] if entry != acceptance(number, channel)]

    assert kinds(found) == ["I1 lost"]


def test_judge_finds_what_is_nobodys(deck: Deck) -> None:
    found = clean(deck)
    found.accepts["slack"].append(acceptance(999, "slack"))

    assert kinds(found) == ["I2 stray"]


def test_judge_finds_a_message_without_a_row(deck: Deck) -> None:
    found = clean(deck)
    del found.rows[numbered(deck, "slack", Fault.LIMIT_DAY)]

    assert kinds(found) == ["I1 lost"]


@pytest.mark.parametrize(
    ("channel", "fault", "changes", "kind"),
    [
        ("slack", Fault.ERROR_AFTER, {"state": "parked"}, "parked without cause"),
        ("slack", Fault.BLIND, {"state": "sent"}, "I1 unsettled"),
        ("mail", Fault.MAIL_LOST, {"state": "in_doubt"}, "I1 unsettled"),
        ("sms", Fault.CUT_AFTER, {"states": ("due", "posting", "sent")}, "undoubted"),
        ("sms", Fault.ANOTHER_ID, {"provider_id": "of another"}, "I1 unsettled"),
        ("sms", Fault.SAID_NO, {"code": "21610"}, "I1 unrefused"),
        ("slack", Fault.LIMIT_DAY, {"waits_s": 3_600.0}, "I10 day"),
        ("slack", Fault.LIMIT_DAY, {"attempt": 2}, "I10 day"),
        ("slack", Fault.DRIP, {"channel": "mail"}, "elsewhere"),
    ],
)
def test_judge_finds_a_row_that_says_something_else(
    deck: Deck, channel: str, fault: Fault, changes: dict[str, Any], kind: str
) -> None:
    found, number = clean(deck), numbered(deck, channel, fault)
    found.rows[number] = replace(found.rows[number], **changes)

    assert kinds(found) == [kind]


def test_judge_finds_a_message_that_was_refused_and_taken(deck: Deck) -> None:
    found = clean(deck)
    found.accepts["slack"].append(acceptance(numbered(deck, "slack", Fault.SAID_NO), "slack"))

    assert kinds(found) == ["I2 refused and taken"]


def test_judge_finds_who_comes_back_too_early(deck: Deck) -> None:
    found, number = clean(deck), numbered(deck, "sms", Fault.LIMIT_FRACTION)
    again = next(one for one in found.faults["sms"] if one["number"] == number and one["deed"] == HONEST)
    again["at"] = 2.0

    assert kinds(found) == ["I10 manners"]


def test_judge_finds_an_account_that_was_told_to_wait_and_goes_on(deck: dict[int, tuple[str, Fault]]) -> None:
    found, number = clean(deck), numbered(deck, "sms", Fault.LIMIT_INTEGER)
    other = replace(found.rows[number], states=("due",))
    deck[999], found.rows[999] = ("sms", Fault.LIMIT_INTEGER), other
    found.accepts["sms"].append({"number": 999, "sid": other.provider_id})
    found.faults["sms"].append(deed(999, "sms", HONEST) | {"at": 0.75})

    assert kinds(found) == ["I10 account"]


def test_judge_finds_another_message_to_a_place_that_was_told_to_wait(deck: Deck) -> None:
    found = clean(deck)
    first, second = (numbered(deck, "slack", fault) for fault in (Fault.LIMIT_INTEGER, Fault.DRIP))
    for entry in found.faults["slack"]:
        if entry["number"] == second:
            entry |= {"place": f"D{first}", "at": entry["at"] + 1.5}

    assert kinds(found) == ["I10 place"]


def test_judge_finds_two_requests_about_one_place_that_come_too_close(deck: Deck) -> None:
    """Of one message or of two: the pace is the place's."""
    found = clean(deck)
    first, second = (numbered(deck, "slack", fault) for fault in (Fault.DRIP, Fault.LAG))
    for entry in found.faults["slack"]:
        if entry["number"] == second:
            entry |= {"place": f"D{first}", "at": entry["at"] + 0.8}

    assert kinds(found) == ["I10 pace"]


def test_judge_finds_a_fault_that_was_not_dealt(deck: Deck) -> None:
    found = clean(deck)
    found.faults["mail"].pop()

    assert kinds(found) == ["too few"]


def test_judge_finds_mail_in_the_open(deck: Deck) -> None:
    found = clean(deck)
    found.accepts["mail"][0]["secure"] = False
    found.faults["mail"].append({"at": 1.0, "deed": IN_THE_OPEN, "to": None})

    assert [violation.kind for violation in judge(found)] == ["in the open"] * 2


def test_deck_holds_every_fault_of_every_channel_equally_often() -> None:
    deck = matrix.shuffled(7)

    assert all(
        list(deck.values()).count((channel, fault)) == EACH for channel, faults in FAULTS.items() for fault in faults
    )
    assert list(deck.values()) != list(matrix.shuffled(8).values())


def test_four_messages_of_one_fault_go_to_one_person_in_slack_and_one_elsewhere() -> None:
    deck = matrix.shuffled(7)
    whose = matrix.shared(deck)
    people = Counter((deck[number], person) for number, person in whose.items())

    assert {count for (card, _), count in people.items() if card[0] == "slack" and card[1] is not Fault.LIMIT_DAY} == {
        4
    }
    assert {count for (card, _), count in people.items() if card[0] != "slack" or card[1] is Fault.LIMIT_DAY} == {1}
    assert all(deck[number] == deck[person] for number, person in whose.items())


def test_plan_of_mail_deals_each_fault_once_and_twenty_connections_without_tls() -> None:
    deck: Deck = {3: ("mail", Fault.MAIL_421)}
    plan: Plan = DealtPlan(1, Shares(), deck=deck)
    address = "cnryap0003@nochat.example"

    assert [fault.where for fault in (plan.at_rcpt(address), plan.at_rcpt(address)) if fault] == [Where.RCPT]
    assert plan.at_rcpt("cnryap0004@nochat.example") is None
    assert sum(plan.at_starttls() is not None for _ in range(3 * EACH)) == EACH
