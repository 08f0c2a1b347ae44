"""What a bounce makes of a row, for every state, every kind and every order of arrival."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from duly_chassis.clock import DrivenClock
from messenger.app import build
from messenger.bounces.effects import Kind, Report, effect
from messenger.channel import Accepted, Answer, InDoubt
from messenger.domain import Contact, Outreach, consider, forbidden, settled
from messenger.planning.hours import Hours
from messenger.settings import Settings
from tests.support.post import ALWAYS
from tests.support.returned import DOMAIN, KEY, OLD_KEY

BASE: dict[str, Any] = {"database_url": "postgresql://x@h/d", "kafka_bootstrap": "h:1", "smtp_url": "smtp://h"}
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
STATES = ("due", "posting", "sent", "suppressed", "refused", "in_doubt", "parked")
FAILED, DELAYED, DELIVERED, UNREADABLE = (
    Report(Kind.FAILED, "5.1.1"),
    Report(Kind.DELAYED, "4.4.1"),
    Report(Kind.DELIVERED, "2.0.0"),
    Report(Kind.UNREADABLE),
)


def row(state: str = "sent", attempt: int = 1, reason: str = "accepted") -> Outreach:
    """Return a message in a state."""
    return Outreach(
        tenant_id="acme",
        outreach_id=UUID(int=1),
        person_id="p1",
        about="a1",
        step="30",
        message="deadline-reminder",
        values={},
        ends_when=(),
        not_before=NOW,
        useful_until=NOW + timedelta(days=30),
        state=state,
        reason=reason,
        attempt=attempt,
    )


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("report", "settles", "end"),
    [
        (FAILED, {"posting", "sent", "in_doubt", "parked"}, "refused bounced"),
        (DELIVERED, {"due", "posting", "in_doubt", "parked"}, "sent delivered"),
        (DELAYED, set(), ""),
        (UNREADABLE, set(), ""),
    ],
    ids=["failed", "delivered", "delayed", "unreadable"],
)
def test_bounce_settles_what_it_proves_and_tells_the_rest(
    state: str, report: Report, settles: set[str], end: str
) -> None:
    done = effect(row(state), 1, report)
    wanted = end if state in settles else f"{state} bounce_{report.kind.value}"

    assert (done.settles, f"{done.change.state} {done.change.reason}") == (state in settles, wanted)
    assert done.change.code == report.status


@given(state=st.sampled_from(STATES), report=st.sampled_from((FAILED, DELIVERED, DELAYED, UNREADABLE)))
def test_bounce_of_an_earlier_attempt_settles_nothing(state: str, report: Report) -> None:
    done = effect(row(state, attempt=2), 1, report)

    assert (done.settles, done.change.state, done.change.attempt) == (False, state, 1)


@pytest.mark.parametrize("answer", [Accepted("x"), InDoubt("timeout")])
@pytest.mark.parametrize("report", [FAILED, DELIVERED])
def test_order_of_answer_and_bounce_does_not_matter(answer: Answer, report: Report) -> None:
    """The answer comes first: its state, then the bounce; the bounce first: it is final, and the answer too late."""
    answered = settled(row("posting"), answer, timedelta(minutes=15), NOW)
    late = effect(row(answered.state), 1, report)
    early = effect(row("posting"), 1, report)

    end = late.change.state if late.settles else answered.state
    assert early.change.state == end


@pytest.mark.parametrize(
    ("status", "dead"),
    [("5.1.1", True), ("5.1.2", True), ("5.1.3", True), ("5.1.6", True), ("5.1.10", True)]
    + [(one, False) for one in ("", "5.0.0", "5.1.0", "5.1.5", "5.1.7", "5.1.8", "5.2.1", "5.2.2", "5.7.1", "4.1.1")],
)
def test_address_is_dead_only_by_a_final_word_about_it(status: str, dead: bool) -> None:
    assert effect(row(), 1, Report(Kind.FAILED, status)).dead is dead
    assert not effect(row(), 1, Report(Kind.DELAYED, status)).dead


def contact(*, dead: bool, mail: str | None = "ada@example.org", status: str = "active") -> Contact:
    return Contact(status, "Ada", mail, "UTC", "en", dead)


def test_message_to_a_dead_address_waits_and_ends_with_its_reason() -> None:
    waiting = consider(row("due", 0), contact(dead=True), {}, ALWAYS, NOW)
    ends_at = NOW + timedelta(days=30)

    assert (waiting.state, waiting.reason, waiting.next_due_at) == ("due", "address_dead", ends_at)
    assert forbidden(row("due", 0, "address_dead"), contact(dead=True), {}, ends_at) == "address_dead"
    assert consider(row("due", 0), contact(dead=False), {}, ALWAYS, NOW).state == "posting"


def test_what_forbids_a_message_is_said_before_how_it_cannot_be_reached() -> None:
    shut = Hours(ALWAYS.opens, ALWAYS.opens, "UTC")

    assert consider(row("due"), contact(dead=True, status="departed"), {}, shut, NOW).reason == "person_departed"
    assert consider(row("due"), contact(dead=True, mail=None), {}, shut, NOW).reason == "no_address"


@pytest.mark.parametrize(
    "given_settings",
    [
        {"bounce_domain": "bounces.example.org"},
        {"bounce_domain": "bounces.example.org", "bounce_keys": "short"},
        {"bounce_domain": "bounces.example.org", "bounce_keys": ",".join(["k" * 32] * 3)},
        {"bounce_domain": "bounces.example.org", "bounce_keys": "k" * 32 + ","},
        {"bounce_domain": "Bounces.Example.org", "bounce_keys": "k" * 32},
        {"bounce_domain": "bounces", "bounce_keys": "k" * 32},
        {"bounce_domain": "b.example.org\nx", "bounce_keys": "k" * 32},
        {"bounce_port": 2525},
    ],
)
def test_settings_that_anybody_could_sign_with_stop_the_start(given_settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(**BASE, **given_settings)

    assert "k" * 32 not in str(refused.value)


def test_letters_go_out_as_before_without_a_bounce_domain() -> None:
    settings = Settings(**BASE)

    assert (settings.bounce_domain, settings.signing_keys(), settings.bounce_port) == (None, [], None)
    assert [loop.name for loop in build(settings, DrivenClock(NOW)).loops] == ["send-mail-1", "leases", "renderer"]


@pytest.mark.parametrize(("port", "door"), [(None, []), (0, ["bounces"])])
def test_door_is_a_loop_of_its_own_where_a_port_is_set(port: int | None, door: list[str]) -> None:
    """Without it mail still comes back signed: to be taken from files."""
    settings = Settings(**BASE, bounce_domain=DOMAIN, bounce_keys=f"{KEY}, {OLD_KEY}", bounce_port=port)

    assert settings.signing_keys() == [KEY, OLD_KEY]
    assert [loop.name for loop in build(settings, DrivenClock(NOW)).loops] == [
        *door,
        "send-mail-1",
        "leases",
        "renderer",
    ]
