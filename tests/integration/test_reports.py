"""What a provider reports later settles the ledger, once, and only what it is about."""

from datetime import timedelta
from uuid import uuid4

import pytest

from tests.integration.given_signals import OUTREACH, STATE, UNANSWERED, WAITS_FOR_AN_ANSWER, report, texted
from tests.support.bench import Bench
from tests.support.callbacks import sid
from tests.support.records import MOMENT, Tape, person

pytestmark = pytest.mark.connected


@pytest.mark.parametrize("state", ["in_doubt", "parked"])
async def test_report_settles_what_is_in_doubt_and_what_is_parked(messengers: Bench, state: str) -> None:
    tape = Tape()
    await texted(messengers, tape, state)
    await messengers.apply(tape.record(report("sent"), "1"), tape.record(report("delivered"), "2"))

    assert await messengers.column(STATE) == ["sent accepted"]
    assert await messengers.column("SELECT provider_id FROM ledger") == [sid(1)]
    assert await messengers.outgoing() == ["duly.outreach.sent.v2"]
    await messengers.apply(tape.record(report("failed", "30003"), "3"))
    assert await messengers.column(STATE) == ["sent accepted"]
    assert (await messengers.column("SELECT reason FROM ledger_history ORDER BY id"))[-2:] == [
        "report_delivered",
        "report_failed",
    ]


@pytest.mark.parametrize("state", ["in_doubt", "parked", "posting", "due", "held"])
async def test_report_that_settles_a_text_as_sent_lets_its_policy_wait_for_an_answer_inside_the_hours(
    messengers: Bench, state: str
) -> None:
    """As one that was accepted directly: 20 minutes before 21:00 in Berlin, and 10 more from 08:00 there on."""
    tape = Tape()
    evening = MOMENT.replace(hour=19, minute=40)
    await messengers.apply(tape.record(person(zone="Europe/Berlin"), "v1"))
    await texted(messengers, tape, state)
    await messengers.outside.execute("UPDATE ledger SET plan = $1", WAITS_FOR_AN_ANSWER)
    messengers.clock.move_to(evening)
    await messengers.apply(tape.record(report("queued"), "1"), tape.record(report("delivered"), "2"))

    assert await messengers.column(STATE) == ["sent accepted"]
    assert await messengers.column("SELECT next_due_at FROM ledger") == [evening + timedelta(hours=11, minutes=30)]
    messengers.clock.move_to(evening + timedelta(hours=12))
    await messengers.timer(UNANSWERED)()
    assert await messengers.column("SELECT channel || ' ' || state || ' ' || reason FROM ledger") == [
        "mail due unanswered"
    ]


async def test_failure_reported_after_sent_gives_the_leg_up_once(messengers: Bench) -> None:
    tape = Tape()
    await texted(messengers, tape)
    await messengers.apply(tape.record(report("sent"), "1"))
    await messengers.apply(tape.record(report("undelivered", "30003"), "2"))
    await messengers.apply(tape.record(report("undelivered", "30003"), "a year later, under another id"))

    assert await messengers.column(STATE) == ["refused undelivered"]
    assert await messengers.outgoing() == ["duly.outreach.sent.v2", "duly.outreach.failed.v1"]


async def test_failure_reported_after_sent_turns_to_the_next_channel_where_there_is_one(messengers: Bench) -> None:
    tape = Tape()
    await texted(messengers, tape, "sent")
    await messengers.outside.execute("""UPDATE ledger SET plan = '[{"channel": "mail"}]'""")
    await messengers.apply(tape.record(report("undelivered", "30003"), "1"), tape.record(report("failed"), "2"))

    assert await messengers.column("SELECT channel || ' ' || state || ' ' || reason FROM ledger") == [
        "mail due undelivered"
    ]


async def test_s15_report_of_an_unknown_message_or_in_another_tenant_is_a_case_without_effect(
    messengers: Bench,
) -> None:
    tape = Tape()
    await texted(messengers, tape)
    await messengers.apply(
        tape.record(report("delivered", tenant="globex"), "1"), tape.record(report("failed", outreach=uuid4()), "2")
    )
    async with messengers.database.reading("globex") as connection:
        answer = await messengers.service.answers["/v1/reports"](connection, {"tenant": "globex"})

    assert await messengers.column(STATE) == ["in_doubt x"]
    assert [one["outreach_id"] for one in answer["odd"]] == [OUTREACH]
    assert await messengers.column("SELECT count(*) FROM reports WHERE NOT known") == [2]


async def test_report_over_texts_never_settles_a_mail(messengers: Bench) -> None:
    tape = Tape()
    await texted(messengers, tape)
    await messengers.outside.execute("UPDATE ledger SET channel = 'mail'")
    await messengers.apply(tape.record(report("delivered"), "1"))

    assert await messengers.column(STATE) == ["in_doubt x"]
