"""The providers' pace, kept in the database: for all replicas, obeyed to the second, and in nobody else's way."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from messenger import answers
from messenger.channel import RefusedForNow
from messenger.limits.pacing import SPREAD_AT_CLAIM_MAX, Pace
from tests.support.bench import Bench
from tests.support.post import Post, noting
from tests.support.records import DUE, MOMENT, Tape, person, requested

pytestmark = pytest.mark.connected

ONE_A_SECOND_EACH = Pace(1.0, by_person=True)
TWO_A_SECOND = Pace(0.5, by_person=False)
A_SECOND = timedelta(seconds=1)
KNOWN = """
    INSERT INTO contacts (tenant_id, person_id, version, status, name, mail, zone)
    VALUES ($1, $2, 1, 'active', 'Ada', 'ada@example.org', 'UTC') ON CONFLICT DO NOTHING
"""
FILL = """
    INSERT INTO ledger (tenant_id, outreach_id, channel, person_id, dedupe_key, about, step, message, "values",
                        ends_when, policy_version, not_before, useful_until, state, reason, next_due_at, requested_at)
    SELECT $1, gen_random_uuid(), 'slack', $2, n::text, 'a1', '7', 'deadline-reminder', '{}', '[]', '1', $3,
           $3::timestamptz + interval '30 days', 'due', 'requested', $3, $3
      FROM generate_series(1, $4) AS n
"""


async def fill(messengers: Bench, person_id: str, number: int, at: datetime = MOMENT, tenant: str = "acme") -> None:
    """Make a person known, and let messages to them wait on Slack."""
    await messengers.outside.execute(KNOWN, tenant, person_id)
    await messengers.outside.execute("INSERT INTO stops VALUES ($1, 'a1') ON CONFLICT DO NOTHING", tenant)
    await messengers.outside.execute(FILL, tenant, person_id, at, number)


async def drive(messengers: Bench, boxes: Sequence[Post], pace: Pace, seconds: int) -> list[list[int]]:
    """Let replicas take turns second by second; return how many each second sent, by replica."""
    loops = [noting(messengers.context(), box, "slack", pace) for box in boxes]
    sent: list[list[int]] = []
    for second in range(seconds):
        messengers.clock.move_to(MOMENT + second * A_SECOND)
        before = [len(box.letters) for box in boxes]
        for loop in loops:
            while await loop.step():
                await loop.spread()
            await loop.spread()
        sent.append([len(box.letters) - had for box, had in zip(boxes, before, strict=True)])
    return sent


async def test_person_gets_one_message_a_second_over_two_replicas(messengers: Bench) -> None:
    """PROVIDERS 2.2: exactly at the limit, and the pace is the database's, not a process's."""
    await fill(messengers, "p1", 20)
    sent = await drive(messengers, [Post(), Post()], ONE_A_SECOND_EACH, 12)

    assert [sum(second) for second in sent] == [1] * 12


async def test_person_with_10000_waiting_messages_delays_nobody_else(messengers: Bench) -> None:
    """The others, who came later, are all sent in the first second."""
    await fill(messengers, "p1", 10_000)
    for number in range(2, 40):
        await fill(messengers, f"p{number}", 1, MOMENT + timedelta(microseconds=1))
    box = Post()
    messengers.clock.move_to(MOMENT + timedelta(microseconds=1))
    loop = noting(messengers.context(), box, "slack", ONE_A_SECOND_EACH)
    rounds = 1
    while await loop.step():
        rounds += 1

    assert len(box.letters) == 39
    assert rounds <= 5
    spread = "SELECT count(*) FROM ledger WHERE reason = 'paced'"
    assert await messengers.column(spread) == [SPREAD_AT_CLAIM_MAX]  # nobody waited for more than these
    await loop.spread()
    waits = "SELECT count(*)::int || ' ' || count(DISTINCT next_due_at) FROM ledger WHERE reason = 'paced'"
    assert await messengers.column(waits) == ["9999 9999"]
    last = await messengers.column("SELECT max(next_due_at) FROM ledger")
    assert last == [MOMENT + timedelta(microseconds=1) + 9_999 * A_SECOND]


async def test_person_whose_messages_are_still_to_be_spread_gets_one_a_second_meanwhile(messengers: Bench) -> None:
    """Who spreads waits until everybody else has been sent theirs; the pace does not."""
    await fill(messengers, "p1", 200)
    box = Post()
    loop = noting(messengers.context(), box, "slack", ONE_A_SECOND_EACH)
    sent = []
    for second in range(4):
        messengers.clock.move_to(MOMENT + second * A_SECOND)
        while await loop.step():
            pass
        sent.append(len(box.letters))

    assert sent == [1, 2, 3, 4]


async def test_after_an_outage_nothing_leaves_in_a_burst(messengers: Bench) -> None:
    """RELIABILITY 7.11: moments that were missed are not made up for at once."""
    await fill(messengers, "p1", 10)
    await drive(messengers, [Post()], ONE_A_SECOND_EACH, 1)
    messengers.clock.move_to(MOMENT + timedelta(hours=1))
    box = Post()
    loop = noting(messengers.context(), box, "slack", ONE_A_SECOND_EACH)
    while await loop.step():
        pass

    assert len(box.letters) == 1


async def test_sender_with_one_rate_serves_everybody_in_turn(messengers: Bench) -> None:
    """Where the pace is the sender's, everybody's first message goes before anybody's hundredth."""
    await fill(messengers, "p1", 200)
    await fill(messengers, "p2", 2, MOMENT + timedelta(microseconds=1))
    box = Post()
    loop = noting(messengers.context(), box, "slack", TWO_A_SECOND)
    for half in range(12):
        messengers.clock.move_to(MOMENT + timedelta(microseconds=1) + half * A_SECOND / 2)
        while await loop.step():
            pass
        await loop.spread()

    assert len(box.letters) == 12
    whom = "SELECT person_id FROM ledger WHERE state = 'sent'"
    assert (await messengers.column(whom)).count("p2") == 2


async def test_pace_of_one_tenant_is_not_anothers(messengers: Bench) -> None:
    """K-10."""
    for tenant in ("acme", "bolt"):
        await fill(messengers, "p1", 3, tenant=tenant)
    sent = await drive(messengers, [Post()], TWO_A_SECOND, 2)

    assert sent == [[2], [2]]


@pytest.mark.parametrize(
    ("scope", "others"), [("recipient", ["p2 sent accepted"]), ("account", ["p2 due paced"])], ids=str
)
async def test_retry_after_holds_back_what_the_provider_meant_on_every_replica(
    messengers: Bench, scope: str, others: list[str]
) -> None:
    """RELIABILITY 6: kept in PostgreSQL; the recipient's alone, or the whole account's."""
    await fill(messengers, "p1", 2)
    refusing = Post(RefusedForNow("ratelimited", "429", after_s=90, scope=scope))  # type: ignore[arg-type]
    await noting(messengers.context(), refusing, "slack", ONE_A_SECOND_EACH).step()
    assert len(refusing.letters) == 1
    await fill(messengers, "p2", 1)
    box = Post()
    other = noting(messengers.context(), box, "slack", ONE_A_SECOND_EACH)
    messengers.clock.move_to(MOMENT + 2 * A_SECOND)
    await other.step()
    state = "SELECT person_id || ' ' || state || ' ' || reason FROM ledger WHERE person_id = 'p2'"
    assert await messengers.column(state) == others

    messengers.clock.move_to(MOMENT + 89 * A_SECOND)
    await other.step()
    first = len(box.letters)
    assert first == (1 if scope == "recipient" else 0)
    messengers.clock.move_to(MOMENT + 92 * A_SECOND)
    await other.step()
    assert len(box.letters) > first


async def test_rehearsal_counts_what_would_have_waited_and_sends_it(messengers: Bench) -> None:
    """ARCHITECTURE 8: its clock jumps, so pacing is reported, not waited for."""
    await fill(messengers, "p1", 10)
    box = Post()
    await noting(messengers.context(), box, "slack", Pace(1.0, by_person=True, waits=False)).step()

    assert len(box.letters) == 10
    async with messengers.database.reading("acme") as connection:
        assert (await answers.summary(connection, {"tenant": "acme"}))["paced"] == {"slack": 9}


async def test_paced_message_that_became_pointless_is_closed_without_its_turn(messengers: Bench) -> None:
    """A pace delays, it decides nothing: all is tested again."""
    tape = Tape()
    await messengers.apply(tape.record(person(), "v1"), tape.record(requested(UUID(int=1)), "r1"))
    await messengers.outside.execute("UPDATE ledger SET channel = 'slack'")
    await fill(messengers, "p1", 3)
    await drive(messengers, [Post()], ONE_A_SECOND_EACH, 1)
    messengers.clock.move_to(DUE + timedelta(days=30))
    loop = noting(messengers.context(), box := Post(), "slack", ONE_A_SECOND_EACH)
    while await loop.step():
        pass

    assert box.letters == []
    assert await messengers.column("SELECT DISTINCT state || ' ' || reason FROM ledger WHERE state <> 'sent'") == [
        "suppressed expired"
    ]
