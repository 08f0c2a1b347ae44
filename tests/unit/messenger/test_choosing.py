"""Which channel a message turns to, when, and when it never does."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duly_contracts.outreach import Ending
from duly_contracts.training import TrainingCompletedV1
from messenger.channel import Accepted, Answer, InDoubt, RefusedForGood, RefusedForNow, Withheld
from messenger.domain import Change, Contact, Leg, Outreach
from messenger.planning import choosing
from messenger.planning.hours import Hours, opens_at, permitted_after

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
ALWAYS = Hours(time(0), time(0), "UTC")
OFFICE = Hours(time(9), time(17), "UTC")
BOTH = ("undelivered", "unanswered")
SMS, LAST = Leg("sms", 30, BOTH), Leg("mail")


def row(**changes: Any) -> Outreach:
    """Return a message on Slack with SMS and mail ahead of it."""
    known: dict[str, Any] = {
        "tenant_id": "acme",
        "outreach_id": UUID(int=1),
        "person_id": "p1",
        "about": "a1",
        "step": "7",
        "message": "deadline-reminder",
        "values": {},
        "ends_when": (Ending(type=TrainingCompletedV1.type, about="a1"),),
        "not_before": NOW,
        "useful_until": NOW + timedelta(days=3),
        "state": "due",
        "reason": "requested",
        "attempt": 0,
        "channel": "slack",
        "plan": (SMS, LAST),
    }
    return Outreach(**known | changes)


def contact(**changes: Any) -> Contact:
    """Return somebody who has everything."""
    known: dict[str, Any] = {"status": "active", "name": "Ada", "mail": "a@x.example", "zone": "UTC", "locale": None}
    return Contact(**known | {"mobile": "+447400000001"} | changes)


def considered(outreach: Outreach, person: Contact | None, now: datetime = NOW) -> Change:
    """Consider a message at a moment."""
    return choosing.consider(outreach, person, {}, ALWAYS, now)


def shown(change: Change) -> tuple[str, str, str | None]:
    """Return what matters of a change."""
    return change.state, change.reason, change.leg.channel if change.leg else None


CANNOT = {
    "no mail address, which Slack finds people by": ({"channel": "slack"}, {"mail": None}, "no_address"),
    "no number": ({"channel": "sms", "plan": (LAST,)}, {"mobile": None}, "no_address"),
    "a dead mail address": ({"channel": "mail", "plan": (SMS,)}, {"dead": True}, "address_dead"),
}


@pytest.mark.parametrize(("about", "person", "cause"), CANNOT.values(), ids=CANNOT)
def test_message_moves_on_at_once_when_its_channel_has_no_address(about: Any, person: Any, cause: str) -> None:
    outreach = row(**about)
    change = considered(outreach, contact(**person))

    assert shown(change) == ("due", cause, outreach.plan[0].channel)
    assert change.next_due_at == NOW
    assert choosing.lost([change]) == [change]


def test_message_waits_for_an_address_when_no_channel_is_left() -> None:
    """As before there were channels: the person's record may still bring one."""
    change = considered(row(channel="mail", plan=()), contact(mail=None))

    assert shown(change) == ("due", "no_address", None)
    assert change.next_due_at == NOW + timedelta(days=3)


def test_dead_mail_address_keeps_nobody_from_being_found_on_slack() -> None:
    assert shown(considered(row(), contact(dead=True))) == ("posting", "sending", None)


def test_unknown_person_is_waited_for_on_the_first_channel() -> None:
    """The record is on another topic and may be on its way: nothing is known yet that another channel would mend."""
    assert shown(considered(row(), None)) == ("due", "recipient_unknown", None)


def test_message_on_a_channel_that_is_not_set_up_moves_on_or_waits() -> None:
    moves = choosing.elsewhere(row(), contact(), {}, NOW)
    waits = choosing.elsewhere(row(plan=()), contact(), {}, NOW)
    ended = choosing.elsewhere(row(), contact(), {TrainingCompletedV1.type: NOW}, NOW)

    assert shown(moves) == ("due", "channel_not_set_up", "sms")
    assert (shown(waits), waits.next_due_at) == (("due", "channel_not_set_up", None), row().useful_until)
    assert shown(ended) == ("suppressed", "completed", None)
    assert choosing.lost([moves]) == []


def settled(answer: Answer, hours: Hours = ALWAYS, **changes: Any) -> Change:
    """Settle the first attempt of a message."""
    return choosing.settled(row(**{"state": "posting", "attempt": 1} | changes), answer, HALF_HOUR, "UTC", hours, NOW)


ANSWERS = {
    "refused for good because of the address": (RefusedForGood("users_not_found", "x", True), "due", "sms"),
    "refused for good because of the text": (RefusedForGood("no_text"), "refused", None),
    "in doubt": (InDoubt("timeout"), "in_doubt", None),
    "refused for now": (RefusedForNow("ratelimited"), "due", None),
    "withheld": (Withheld(), "due", None),
    "accepted": (Accepted("id"), "sent", None),
}


@pytest.mark.parametrize(("answer", "state", "to"), ANSWERS.values(), ids=ANSWERS)
def test_only_an_address_that_is_refused_moves_a_message_when_it_is_answered(
    answer: Answer, state: str, to: str | None
) -> None:
    """RELIABILITY 6.5: never out of doubt."""
    change = settled(answer)
    assert (change.state, change.leg.channel if change.leg else None) == (state, to)


def test_last_channels_refused_address_is_final() -> None:
    assert shown(settled(RefusedForGood("users_not_found", address=True), plan=())) == (
        "refused",
        "users_not_found",
        None,
    )


def test_sent_message_is_looked_at_again_only_where_its_policy_says_so() -> None:
    assert settled(Accepted("id")).next_due_at == NOW + HALF_HOUR
    assert settled(Accepted("id"), plan=()).next_due_at is None
    assert settled(Accepted("id"), plan=(Leg("mail"),)).next_due_at is None
    assert settled(Accepted("id"), plan=(Leg("mail", 30, ("undelivered",)),)).next_due_at is None


def test_unanswered_message_moves_on_and_one_that_was_ended_never_does() -> None:
    sent = row(state="sent", reason="accepted", attempt=1)

    assert shown(choosing.unanswered(sent, contact(), {}, NOW)) == ("due", "unanswered", "sms")
    for person, facts, now, why in (
        (contact(), {TrainingCompletedV1.type: NOW}, NOW, "completed"),
        (contact(status="departed"), {}, NOW, "person_departed"),
        (contact(), {}, sent.useful_until, "expired"),
    ):
        change = choosing.unanswered(sent, person, facts, now)
        assert (shown(change), change.next_due_at) == (("sent", why, None), None)


def test_undelivered_message_moves_on_when_its_time_is_over() -> None:
    tried = row(attempt=2, reason="ratelimited")

    assert shown(considered(tried, contact(), NOW + HALF_HOUR - timedelta(seconds=1))) == ("posting", "sending", None)
    late = considered(tried, contact(), NOW + HALF_HOUR)
    assert (shown(late), late.attempt) == (("due", "undelivered", "sms"), 2)
    assert choosing.lost([late]) == []


def test_channel_that_was_never_tried_is_not_given_up_for_being_slow() -> None:
    """After an outage of ours everybody is late: that is no fault of the channel."""
    assert shown(considered(row(), contact(), NOW + timedelta(hours=5))) == ("posting", "sending", None)


def test_next_try_is_no_later_than_the_moment_to_move() -> None:
    refused = settled(RefusedForNow("ratelimited", after_s=7_200))
    assert refused.next_due_at == NOW + HALF_HOUR
    assert settled(RefusedForNow("ratelimited", after_s=7_200), plan=()).next_due_at == NOW + timedelta(hours=2)


def test_pauses_begin_anew_on_each_channel() -> None:
    """RELIABILITY 6.5: 1, 5, 15, 60 minutes by the tries on this channel, while attempts count over all."""
    third = settled(RefusedForNow("busy"), attempt=3, attempts_before=2, plan=())
    assert (third.next_due_at, third.attempt) == (NOW + timedelta(minutes=1), 3)


def test_provider_that_asks_to_wait_longer_than_the_pause_is_obeyed_and_a_shorter_wish_does_not_shorten_it() -> None:
    for after_s, wait_s in ((0.0, 60), (None, 60), (1.5, 60), (61.5, 61.5), (86_400.0, 86_400)):
        change = settled(RefusedForNow("busy", after_s=after_s), plan=())
        assert change.next_due_at == NOW + timedelta(seconds=wait_s)


PERMITTED = {
    "within the hours": ("2026-11-02T09:00", 30, OFFICE, "UTC", "2026-11-02T09:30"),
    "begun before they open": ("2026-11-02T03:00", 30, OFFICE, "UTC", "2026-11-02T09:30"),
    "over night": ("2026-11-02T16:45", 30, OFFICE, "UTC", "2026-11-03T09:15"),
    "ending with the last minute": ("2026-11-02T16:30", 30, OFFICE, "UTC", "2026-11-03T09:00"),
    "over several days": ("2026-11-02T09:00", 3 * 8 * 60 + 1, OFFICE, "UTC", "2026-11-05T09:01"),
    "hours that span midnight": ("2026-11-02T23:50", 30, Hours(time(22), time(2), "UTC"), "UTC", "2026-11-03T00:20"),
    "closing after midnight": ("2026-11-02T01:50", 30, Hours(time(22), time(2), "UTC"), "UTC", "2026-11-02T22:20"),
    "always open": ("2026-11-02T23:50", 30, ALWAYS, "UTC", "2026-11-03T00:20"),
    "a spring night is an hour shorter": (
        "2026-03-08T06:30",  # 01:30 in New York; 02:00 is 03:00, and 04:00 closes an hour of real time later
        60,
        Hours(time(1), time(4), "UTC"),
        "America/New_York",
        "2026-03-08T07:30",
    ),
    "a spring night ends sooner": (
        "2026-03-08T06:30",
        90,
        Hours(time(1), time(4), "UTC"),
        "America/New_York",
        "2026-03-09T05:00",
    ),
    "an autumn night is an hour longer": (
        "2026-11-01T05:30",  # 01:30 in New York, the first of two
        120,
        Hours(time(1), time(3), "UTC"),
        "America/New_York",
        "2026-11-01T07:30",
    ),
    "an unknown zone goes by the default": ("2026-11-02T09:00", 30, OFFICE, "Mars/Olympus", "2026-11-02T09:30"),
}


@pytest.mark.parametrize(("since", "minutes", "hours", "zone", "until"), PERMITTED.values(), ids=PERMITTED)
def test_minutes_are_counted_inside_the_permitted_hours(
    since: str, minutes: int, hours: Hours, zone: str, until: str
) -> None:
    """RELIABILITY 7.4, 7.10."""
    found = permitted_after(moment(since), timedelta(minutes=minutes), hours.zones("acme", zone), hours)
    assert found == moment(until)


def moment(text: str) -> datetime:
    """Read a moment of UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@settings(deadline=None)
@given(
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    st.integers(1, 3_000),
    st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Europe/Dublin", "Africa/Casablanca"]),
    st.times(),
    st.times(),
)
def test_counting_ends_inside_the_hours_and_never_before_its_minutes_are_over(
    since: datetime, minutes: int, zone: str, opens: time, closes: time
) -> None:
    hours = Hours(opens.replace(second=0, microsecond=0), closes.replace(second=0, microsecond=0), "UTC")
    if minutes > 100 and (closes.hour - opens.hour) % 24 < 1:
        return  # minutes a day would take years
    until = permitted_after(since, timedelta(minutes=minutes), [zone], hours)

    assert until is not None
    assert until - since >= timedelta(minutes=minutes)
    assert opens_at(until, [zone], hours) == until


def test_address_that_cannot_be_written_to_moves_a_message_on() -> None:
    refused = Change(row(), "refused", "address_refused", code="landline")
    parked = Change(row(), "parked", "value_missing")

    assert shown(choosing.unwritable(refused, NOW)) == ("due", "address_refused", "sms")
    assert choosing.unwritable(parked, NOW) is parked
    assert choosing.unwritable(replace(refused, outreach=row(plan=())), NOW).state == "refused"
