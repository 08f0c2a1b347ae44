"""The kill switch on a real database: nothing goes that is held, nothing is lost, and others do not wait."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from duly_chassis.web import Refusal
from messenger import answers
from messenger.orders import brakes as brake_orders
from messenger.store import Store
from tests.integration.given_brakes import A_SECOND, BLOCKED, STATE, STORY, ask, due, hold, listed, release, rounds
from tests.support.bench import Bench
from tests.support.post import Post, sender
from tests.support.records import MOMENT, Tape, completed
from tests.support.waiting import until

pytestmark = pytest.mark.connected


async def test_held_tenant_sends_nothing_and_others_go_on(messengers: Bench) -> None:
    """RELIABILITY 8, I8: the kill switch of one tenant is nobody else's."""
    tape, box = Tape(), Post()
    await ask(messengers, tape, 3)
    await ask(messengers, tape, 2, "globex")
    assert await hold(messengers) == {"held": "kill-switch:acme", "new": True}
    await rounds(sender(messengers.context(), box))

    assert [letter.outreach_id.int // 1_000_000 for letter in box.letters] == [2, 2]
    assert await messengers.column(STATE) == ["held held_kill_switch"] * 3 + ["sent accepted"] * 2
    [brake] = await listed(messengers)
    assert (brake["name"], brake["by"], brake["reason"], brake["held"]) == (
        "kill-switch:acme",
        "Ada",
        "wrong template",
        3,
    )


async def test_hold_of_all_stops_every_tenant(messengers: Bench) -> None:
    tape, box = Tape(), Post()
    await ask(messengers, tape)
    await ask(messengers, tape, 1, "globex")
    await hold(messengers, all=True)
    await rounds(sender(messengers.context(), box))

    assert (box.letters, await messengers.column(STATE)) == ([], ["held held_kill_switch"] * 2)
    assert [one["name"] for one in await listed(messengers)] == ["kill-switch"]


async def test_hold_committed_between_claim_and_gate_means_not_sent(messengers: Bench) -> None:
    """RELIABILITY 6.3, 8: claimed already, by one of two replicas, and still nothing goes."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await ask(messengers, tape)
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    await hold(messengers)
    box.open.set()
    await step
    await rounds(sender(messengers.context(), box))

    assert (box.letters, await messengers.column(STATE)) == ([], ["held held_kill_switch"])
    story = ["posting sending", "due not_allowed", "held held_kill_switch"]
    assert await messengers.column(STORY) == story


async def test_hold_waits_while_a_gate_is_open(messengers: Bench) -> None:
    """RELIABILITY 8: no send begins after the hold's commit returned, since that commit waits for the writing."""
    tape, box = Tape(), Post(writable=asyncio.Event())
    await ask(messengers, tape)
    step = asyncio.create_task(sender(messengers.context(), box).step())
    await box.inside.wait()
    holding = asyncio.create_task(hold(messengers))
    await until(lambda: messengers.column(BLOCKED))
    assert not holding.done()
    box.writable.set()
    await asyncio.gather(step, holding)

    assert await messengers.column(STATE) == ["sent accepted"]


async def test_gate_that_is_taken_while_a_hold_commits_sees_it(messengers: Bench) -> None:
    tape, box = Tape(), Post(open=asyncio.Event())
    await ask(messengers, tape)
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    async with messengers.database.transaction() as connection:
        order = {"by": "Ada", "reason": "stop", "all": True}
        await brake_orders.hold(order, messengers.clock.now(), Store(connection))
        box.open.set()
        await until(lambda: messengers.column(BLOCKED))  # the gate waits for the hold
    await step

    assert (box.letters, await messengers.column(STATE)) == ([], ["due not_allowed"])


async def test_two_replicas_stop_at_one_word_and_go_on_at_another(messengers: Bench) -> None:
    """RELIABILITY 8: the state is the database's; each message is sent once after the release."""
    tape, box = Tape(), Post()
    await ask(messengers, tape, 40)
    loops = [sender(messengers.context(), box), sender(messengers.context(), box)]
    await hold(messengers)
    await asyncio.gather(*(rounds(loop) for loop in loops))
    assert box.letters == []
    assert await release(messengers)
    assert not await release(messengers)
    await due(messengers, "released")
    messengers.clock.move_to(MOMENT + 10 * A_SECOND)
    await asyncio.gather(*(rounds(loop) for loop in loops))

    assert len({letter.outreach_id for letter in box.letters}) == len(box.letters) == 40
    assert await listed(messengers) == []
    decided = "SELECT held_by || ' ' || reason || ', ' || released_by || ' ' || release_reason FROM sending_brakes"
    assert await messengers.column(decided) == ["Ada wrong template, Grace mended"]


async def test_released_messages_leave_in_no_burst(messengers: Bench) -> None:
    """RELIABILITY 7.11: one every 50 ms, the oldest first."""
    await ask(messengers, Tape(), 5)
    await hold(messengers)
    await rounds(sender(messengers.context(), Post()))
    await release(messengers)
    await due(messengers, "released")

    moments = await messengers.column("SELECT next_due_at FROM ledger ORDER BY outreach_id")
    assert moments == [MOMENT + place * A_SECOND / 20 for place in range(5)]
    assert (await messengers.column(STORY))[-1] == "due released Grace"


async def test_release_is_carried_out_after_a_crash(messengers: Bench) -> None:
    """I1: the release committed, its messages had no moments yet when the process died, and another one goes on."""
    await ask(messengers, Tape(), 2)
    await hold(messengers)
    await rounds(sender(messengers.context(), Post()))
    await release(messengers)
    with pytest.raises(asyncio.CancelledError):
        await _dying_release(messengers)
    assert await messengers.column(STATE) == ["held held_kill_switch"] * 2
    await due(messengers, "released")

    assert await messengers.column(STATE) == ["due released"] * 2


async def _dying_release(messengers: Bench) -> None:
    async with messengers.database.transaction() as connection:
        tx = Store(connection)
        [brake] = await tx.claim_released(MOMENT, 1)
        assert await tx.let_go(brake, MOMENT, A_SECOND, MOMENT) == 2
        raise asyncio.CancelledError


async def test_release_waits_for_a_claim_that_is_just_holding(messengers: Bench) -> None:
    """I1: what a claim holds while the release commits would else be held by nobody, for ever."""
    await ask(messengers, Tape())
    await hold(messengers)
    async with messengers.database.transaction() as connection:
        tx = Store(connection)
        [brake] = await tx.brakes()
        [brake] = await tx.still([brake.id])
        releasing = asyncio.create_task(release(messengers))
        await until(lambda: messengers.column(BLOCKED))
        await tx.hold_due("mail", {"acme": brake}, MOMENT)
    assert await releasing
    await due(messengers, "released")

    assert await messengers.column(STATE) == ["due released"]


async def test_release_reads_no_clock(messengers: Bench) -> None:
    """RELIABILITY 8: time never releases."""
    await ask(messengers, Tape())
    await hold(messengers)
    loop = sender(messengers.context(), Post())
    for hours in (1, 5, 20):
        messengers.clock.move_to(MOMENT + timedelta(hours=hours))
        await rounds(loop)
        await due(messengers, "held")
        await due(messengers, "released")

    assert await messengers.column(STATE) == ["held held_kill_switch"]


async def test_stop_closes_a_held_message(messengers: Bench) -> None:
    """I3: a brake keeps nothing from being ended, and its end is told at once."""
    tape = Tape()
    await ask(messengers, tape, 2)
    await hold(messengers)
    await rounds(sender(messengers.context(), Post()))
    await messengers.apply(tape.record(completed("a1"), "done"))
    await due(messengers, "held")

    assert await messengers.column(STATE) == ["suppressed completed", "held held_kill_switch"]
    assert await messengers.outgoing() == ["duly.outreach.suppressed.v1"]


async def test_held_message_is_closed_when_it_is_of_no_use_any_more(messengers: Bench) -> None:
    """I1: nothing waits for ever, and what is cancelled is told."""
    await ask(messengers, Tape())
    await hold(messengers)
    await rounds(sender(messengers.context(), Post()))
    [useful_until] = await messengers.column("SELECT next_due_at FROM ledger")
    messengers.clock.move_to(useful_until)
    await due(messengers, "held")

    assert await messengers.column(STATE) == ["suppressed expired"]


async def test_10000_held_messages_delay_nobody_else(messengers: Bench) -> None:
    """RELIABILITY 8: they are met by one claim, not by each; the others, who came later, are sent in that round."""
    tape, box = Tape(), Post()
    await ask(messengers, tape)
    await messengers.outside.execute(
        """
        INSERT INTO ledger (tenant_id, outreach_id, channel, person_id, dedupe_key, about, step, message, "values",
                            ends_when, policy_version, not_before, useful_until, state, reason, next_due_at,
                            requested_at)
        SELECT tenant_id, gen_random_uuid(), channel, person_id, n::text, about, step, message, "values", ends_when,
               policy_version, not_before, useful_until, state, reason, next_due_at - interval '1 hour', requested_at
          FROM ledger, generate_series(1, 9999) AS n
        """
    )
    await ask(messengers, tape, 20, "globex")
    await hold(messengers)

    assert await rounds(sender(messengers.context(), box)) <= 4
    assert len(box.letters) == 20
    assert [one["held"] for one in await listed(messengers)] == [10_000]


@pytest.mark.parametrize("scope", [{}, {"all": True, "tenant": "acme"}, {"tenant": "*"}, {"tenant": "a b"}, {"all": 1}])
async def test_order_to_hold_that_is_not_plain_is_refused(messengers: Bench, scope: dict[str, Any]) -> None:
    async with messengers.database.transaction() as connection:
        with pytest.raises(Refusal):
            await brake_orders.hold({"by": "Ada", "reason": "x", **scope}, MOMENT, Store(connection))

    assert await listed(messengers) == []


async def test_summary_and_story_show_what_is_held(messengers: Bench) -> None:
    """I1: held work stays visible."""
    await ask(messengers, Tape())
    await hold(messengers)
    await rounds(sender(messengers.context(), Post()))
    async with messengers.database.reading("acme") as connection:
        counted = await answers.summary(connection, {"tenant": "acme"})

    assert [(one["state"], one["reason"], one["number"]) for one in counted["messages"]] == [
        ("held", "held_kill_switch", 1)
    ]
    assert [(one["name"], one["holds"]) for one in counted["brakes"]] == [("kill-switch:acme", True)]
