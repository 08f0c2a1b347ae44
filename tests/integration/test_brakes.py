"""Messenger's brakes on a real database: nothing goes that is held, nothing is lost, and others do not wait."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from duly_chassis.web import Refusal
from messenger import answers, brake_orders
from messenger.braking import hour_of
from messenger.channel import Accepted, Answer, RefusedForGood, RefusedForNow
from messenger.holding import Limits
from messenger.sender import Sender
from messenger.store import Store
from tests.support.bench import Bench
from tests.support.post import Notes, Post, rules, sender
from tests.support.records import MOMENT, Tape, completed, person, requested
from tests.support.waiting import until

pytestmark = pytest.mark.connected

STATE = "SELECT state || ' ' || reason FROM ledger ORDER BY tenant_id, outreach_id"
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
STORY = "SELECT state || ' ' || reason || coalesce(' ' || who, '') FROM ledger_history ORDER BY id"
A_SECOND = timedelta(seconds=1)


async def ask(messengers: Bench, tape: Tape, number: int = 1, tenant: str = "acme") -> None:
    """Make a tenant's person known and ask for messages that may go now."""
    ids = [UUID(int=n + (1_000_000 if tenant == "acme" else 2_000_000)) for n in range(1, number + 1)]
    events = [
        tape.record(requested(one, f"a{n}", tenant_id=tenant), f"{tenant}-r{n}") for n, one in enumerate(ids, start=1)
    ]
    await messengers.apply(tape.record(person(tenant_id=tenant), f"{tenant}-v1"), *events)


async def hold(messengers: Bench, **scope: Any) -> Any:
    """Hold as a person does."""
    order = {"by": "Ada", "reason": "wrong template", **(scope or {"tenant": "acme"})}
    async with messengers.database.transaction() as connection:
        return await brake_orders.hold(order, messengers.clock.now(), Store(connection))


async def release(messengers: Bench, name: str = "kill-switch:acme") -> bool:
    """Release as a person does."""
    async with messengers.database.transaction() as connection:
        return await brake_orders.release(name, "Grace", "mended", messengers.clock.now(), Store(connection))


async def listed(messengers: Bench) -> list[dict[str, Any]]:
    """Return what `duly brake list` shows."""
    async with messengers.database.transaction() as connection:
        return await brake_orders.held(Store(connection))


async def due(messengers: Bench, name: str) -> None:
    """Take the steps of one of the service's due loops until nothing is left to do now."""
    number = next(place for place, one in enumerate(messengers.service.timers) if one.name == name)
    step = messengers.timer(number)
    while await step():
        pass


async def rounds(loop: Sender) -> int:
    """Take a loop's steps until it is idle; return how many."""
    number = 1
    while await loop.step():
        number += 1
    return number


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


LIMITS = Limits(rate_floor=50)
REPORTS = Limits(holds=False)
A_MINUTE = timedelta(minutes=1)
A_WEEK = timedelta(days=7)
ONE_ERROR = RefusedForNow("connect_failed")


def limited(messengers: Bench, box: Post, limits: Limits = LIMITS, name: str = "mail") -> Sender:
    """Return a sending loop with these limits."""
    return Sender(messengers.context(), box, Notes(), replace(rules(), limits=limits), name)


async def broken(messengers: Bench, tape: Tape, answer: Answer = ONE_ERROR, number: int = 21) -> Sender:
    """Let so many messages of acme get this answer, then return the loop; its next answers are accepted."""
    await ask(messengers, tape, number)
    box = Post(answer)
    loop = limited(messengers, box)
    await rounds(loop)
    box.answer = Accepted("relay-1")
    return loop


async def names(messengers: Bench) -> list[tuple[str, bool]]:
    """Return which brakes are listed, and whether they hold."""
    return [(one["name"], one["holds"]) for one in await listed(messengers)]


async def reported(messengers: Bench, tenant: str = "acme") -> list[tuple[str, int, int]]:
    """Return what the summary says that brakes would have held: name, times, messages."""
    async with messengers.database.reading(tenant) as connection:
        counted = await answers.summary(connection, {"tenant": tenant})
    return [(one["name"], one["times"], one["held"]) for one in counted["reported"]]


async def test_provider_that_fails_is_held_for_that_tenant_alone(messengers: Bench) -> None:
    """RELIABILITY 8: more than 20 errors among the last 100 answers; another tenant's account may work."""
    tape = Tape()
    loop = await broken(messengers, tape)
    assert await names(messengers) == [("provider:acme:mail", True)]
    await ask(messengers, tape, 2, "globex")
    messengers.clock.move_to(MOMENT + 59 * A_SECOND)
    await rounds(loop)

    assert await messengers.column(STATE) == ["due connect_failed"] * 21 + ["sent accepted"] * 2


async def test_twenty_errors_hold_nothing(messengers: Bench) -> None:
    await broken(messengers, Tape(), number=20)

    assert await names(messengers) == []


async def test_errors_that_good_answers_have_pushed_out_hold_nothing(messengers: Bench) -> None:
    tape = Tape()
    loop = await broken(messengers, tape, number=20)
    await ask(messengers, tape, 120)
    await rounds(loop)
    loop._channel.answer = ONE_ERROR  # type: ignore[attr-defined]
    await messengers.outside.execute("UPDATE ledger SET state = 'due', next_due_at = $1 WHERE attempt = 1", MOMENT)
    await messengers.outside.execute(
        "DELETE FROM ledger WHERE state = 'due' AND ctid NOT IN (SELECT ctid FROM ledger WHERE state = 'due' LIMIT 20)"
    )
    await rounds(loop)

    assert await names(messengers) == []


@pytest.mark.parametrize("reason", ["auth_failed", "scope_missing"])
async def test_provider_that_refuses_our_credentials_is_held_at_once(messengers: Bench, reason: str) -> None:
    await broken(messengers, Tape(), RefusedForNow(reason, scope="account"), 1)

    assert await names(messengers) == [("provider:acme:mail", True)]


@pytest.mark.parametrize(
    "answer",
    [
        RefusedForNow("rate_limited", "429", 1.0),
        RefusedForNow("recipient_refused"),
        RefusedForGood("gone", address=True),
    ],
)
async def test_limits_and_addresses_are_no_fault_of_the_provider(messengers: Bench, answer: Answer) -> None:
    await broken(messengers, Tape(), answer, 30)

    assert await names(messengers) == []


async def test_one_probe_a_minute_goes_to_a_held_provider_and_its_acceptance_releases(messengers: Bench) -> None:
    """RELIABILITY 8: one real message, over all replicas; the release is a decision of the probe's."""
    tape = Tape()
    loop = await broken(messengers, tape)
    other = limited(messengers, Post(ONE_ERROR))
    box: Post = loop._channel  # type: ignore[assignment]
    written = len(box.letters)
    messengers.clock.move_to(MOMENT + 2 * A_MINUTE)
    await rounds(other)  # holds what is due again
    await rounds(other)
    await rounds(other)
    probes = "SELECT count(*)::int FROM ledger_history WHERE reason = 'probe'"
    assert await messengers.column(probes) == [1]
    assert len(other._channel.letters) == 1  # type: ignore[attr-defined]
    messengers.clock.move_to(MOMENT + 3 * A_MINUTE)
    await rounds(loop)
    assert await messengers.column(probes) == [2]
    assert len(box.letters) == written + 1
    assert await names(messengers) == []
    decided = "SELECT released_by || ': ' || release_reason FROM sending_brakes"
    assert await messengers.column(decided) == ["probe: the provider accepted a message"]
    await due(messengers, "released")
    messengers.clock.move_to(MOMENT + 3 * A_MINUTE + 20 * A_SECOND)
    await rounds(loop)

    assert set(await messengers.column(STATE)) <= {"sent accepted", "due connect_failed"}
    assert len(box.letters) == written + 20


async def test_person_releases_a_provider_and_its_errors_are_forgotten(messengers: Bench) -> None:
    loop = await broken(messengers, Tape())
    assert await release(messengers, "provider:acme:mail")
    messengers.clock.move_to(MOMENT + A_MINUTE)
    await rounds(loop)

    assert await messengers.column(STATE) == ["sent accepted"] * 21


async def test_message_leaves_a_held_provider_only_when_its_policy_says_so(messengers: Bench) -> None:
    """Undelivered after 30 minutes; the one without such a policy stays."""
    await broken(messengers, Tape(), number=21)
    way = '[{"channel": "sms", "after_min": 30, "when": ["undelivered"]}]'
    first = "SELECT outreach_id FROM ledger ORDER BY outreach_id LIMIT 1"
    await messengers.outside.execute(f"UPDATE ledger SET plan = $1 WHERE outreach_id = ({first})", way)  # noqa: S608
    await messengers.outside.execute("UPDATE sending_brakes SET probed_at = $1", MOMENT + timedelta(days=1))
    for minutes in (2, 29, 30):
        messengers.clock.move_to(MOMENT + minutes * A_MINUTE)
        await rounds(limited(messengers, Post()))
        await due(messengers, "held")
        [channel] = await messengers.column("SELECT channel FROM ledger ORDER BY outreach_id LIMIT 1")
        assert channel == ("mail" if minutes < 30 else "sms")

    assert (await messengers.column(STATE))[1:] == ["held held_provider"] * 20


async def test_provider_that_fails_in_a_rehearsal_is_reported_and_not_held(messengers: Bench) -> None:
    await ask(messengers, Tape(), 30)
    box = Post(ONE_ERROR)
    await rounds(limited(messengers, box, REPORTS))
    box.answer = Accepted("relay-1")
    messengers.clock.move_to(MOMENT + A_MINUTE)
    await rounds(limited(messengers, box, REPORTS))

    assert await messengers.column(STATE) == ["sent accepted"] * 30
    assert await names(messengers) == [("provider:acme:mail", False)]
    assert await reported(messengers) == [("provider:acme:mail", 1, 30)]


async def test_provider_that_works_again_in_a_rehearsal_would_have_held_nothing_more(messengers: Bench) -> None:
    """All that came up to its first probe would have been held; a second fault is a second time."""
    tape, box = Tape(), Post(ONE_ERROR)
    loop = limited(messengers, box, REPORTS)
    await ask(messengers, tape, 30)
    await rounds(loop)
    box.answer = Accepted("relay-1")
    messengers.clock.move_to(MOMENT + A_MINUTE)
    await rounds(loop)
    await ask(messengers, tape, 40)
    messengers.clock.move_to(MOMENT + 2 * A_MINUTE)
    await rounds(loop)
    assert await reported(messengers) == [("provider:acme:mail", 1, 30)]
    assert await names(messengers) == []
    await ask(messengers, tape, 80)
    box.answer = ONE_ERROR
    await rounds(loop)
    messengers.clock.move_to(MOMENT + 3 * A_MINUTE)
    await rounds(loop)

    assert await reported(messengers) == [("provider:acme:mail", 2, 30 + 8 + 40)]  # it trips after 32 of the 40
    assert await messengers.column("SELECT count(*)::int FROM ledger WHERE state = 'held'") == [0]


async def past_weeks(messengers: Bench, *sent: int, tenant: str = "acme") -> None:
    """Let a tenant have sent so much in this hour of the weeks before, the last one first."""
    for weeks, number in enumerate(sent, start=1):
        await messengers.outside.execute(
            "INSERT INTO send_counts (tenant_id, hour, sent) VALUES ($1, $2, $3)",
            tenant,
            hour_of(MOMENT) - weeks * A_WEEK,
            number,
        )


@pytest.mark.parametrize(("past", "goes"), [((20, 20, 20, 30), 60), ((1, 1, 1, 1), 50), ((40,), 70), ((), 70)])
async def test_what_is_far_more_than_usual_is_held(messengers: Bench, past: Sequence[int], goes: int) -> None:
    """RELIABILITY 8: over three times the median of that hour, and over 50; a first week is nobody's measure."""
    await past_weeks(messengers, *past)
    await ask(messengers, Tape(), 70)
    boxes = [Post(), Post()]
    await asyncio.gather(*(rounds(limited(messengers, box)) for box in boxes))

    assert sum(len(box.letters) for box in boxes) == goes
    counts = "SELECT count(*)::int FROM ledger WHERE state = 'held' AND reason = 'held_send_rate'"
    assert await messengers.column(counts) == [70 - goes]
    assert await names(messengers) == ([("send-rate:acme", True)] if goes < 70 else [])


async def test_excess_goes_when_a_person_approves_and_the_next_hour_goes_without(messengers: Bench) -> None:
    tape = Tape()
    await past_weeks(messengers, 1, 1, 1, 1)
    await ask(messengers, tape, 70)
    await ask(messengers, tape, 60, "globex")
    box = Post()
    await rounds(limited(messengers, box))
    assert len(box.letters) == 50 + 60
    assert await release(messengers, "send-rate:acme")
    await due(messengers, "released")
    messengers.clock.move_to(MOMENT + A_MINUTE)
    await rounds(limited(messengers, box))

    assert len(box.letters) == 70 + 60
    assert await messengers.column("SELECT sent || ' ' || approved FROM send_counts WHERE sent > 60") == ["70 20"]


async def test_excess_of_an_hour_is_held_in_the_next_one_too(messengers: Bench) -> None:
    """Time never releases; but what is asked for later goes, up to what is usual."""
    tape, box = Tape(), Post()
    await past_weeks(messengers, 1, 1, 1, 1)
    await ask(messengers, tape, 60)
    await rounds(limited(messengers, box))
    messengers.clock.move_to(MOMENT + 60 * A_MINUTE)
    await messengers.outside.execute(
        "UPDATE ledger SET state = 'due', next_due_at = $1 WHERE ctid IN (SELECT ctid FROM ledger WHERE state = 'held' "
        "LIMIT 3)",
        MOMENT,
    )
    await rounds(limited(messengers, box))

    assert len(box.letters) == 53
    assert await messengers.column("SELECT count(*)::int FROM ledger WHERE state = 'held'") == [7]


async def test_rate_in_a_rehearsal_is_reported_and_nothing_is_held(messengers: Bench) -> None:
    await past_weeks(messengers, 1, 1, 1, 1)
    await ask(messengers, Tape(), 70)
    box = Post()
    await rounds(limited(messengers, box, REPORTS))
    async with messengers.database.reading("acme") as connection:
        counted = await answers.summary(connection, {"tenant": "acme"})

    assert len(box.letters) == 70
    assert [(one["name"], one["holds"], one["held"]) for one in counted["brakes"]] == [("send-rate:acme", False, 20)]
    assert await reported(messengers) == [("send-rate:acme", 1, 20)]
