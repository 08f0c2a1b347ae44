"""Topics overtake each other: whatever arrives first, the same is told and the same is kept."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import combinations, permutations
from typing import Any
from uuid import UUID

import pytest

from duly_contracts.event import Event
from tests.support.bench import Bench
from tests.support.post import Post, sender
from tests.support.records import (
    ASSIGNED,
    DUE,
    MOMENT,
    Tape,
    assigned,
    completed,
    due_changed,
    person,
    requested,
    taken_back,
    withdrawn,
)

pytestmark = pytest.mark.connected

OUTREACH = UUID(int=1)
LATER = DUE + timedelta(days=20)
FACTS: dict[str, Event] = {
    "person": person(1, zone="America/New_York"),
    "moved": person(2, zone="Asia/Tokyo"),
    "on leave": person(2, status="on_leave"),
    "departed": person(2, status="departed"),
    "assigned": assigned("a1"),
    "due changed": due_changed("a1", LATER),
    "completed": completed("a1"),
    "withdrawn": withdrawn("a1"),
    "requested": requested(OUTREACH, "a1"),
    "taken back": taken_back(OUTREACH),
}
OF_REMINDERS = ("person", "moved", "on leave", "departed", "assigned", "due changed", "completed", "withdrawn")
OF_MESSENGER = ("person", "departed", "due changed", "completed", "withdrawn", "requested", "taken back")


async def forget(one: Bench, now: datetime) -> None:
    """Empty the service's tables and set its clock back."""
    tables = await one.column(
        "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = current_schema AND tablename !~ '_version$' "
        "AND tablename <> 'policies'"
    )
    await one.outside.execute(f"TRUNCATE {', '.join(tables)}")
    one.clock._now = now


async def arrive(one: Bench, names: Sequence[str]) -> None:
    """Let these facts arrive, each in a batch of its own."""
    tape = Tape()
    for name in names:
        await one.apply(tape.record(FACTS[name], name))


async def reminded(one: Bench, names: Sequence[str]) -> Mapping[str, Any]:
    """Let facts arrive and time pass; return everything reminders then knows and has said."""
    await forget(one, ASSIGNED)
    await arrive(one, names)
    step = one.timer()
    while due := [at for at in await one.column("SELECT next_due_at FROM deadlines") if at is not None]:
        one.clock.move_to(max(one.clock.now(), min(due)))
        await step()
    return {
        "deadlines": await one.column("SELECT to_jsonb(d) - 'recorded_at' FROM deadlines AS d"),
        "decisions": await one.column("SELECT to_jsonb(d) - 'recorded_at' FROM decisions AS d ORDER BY occurrence"),
        "people": await one.column("SELECT to_jsonb(p) - 'recorded_at' FROM people AS p"),
        "said": await one.column("SELECT value FROM outbox ORDER BY id"),
        "refused": await one.dead_letters(),
    }


async def sent(one: Bench, names: Sequence[str], *, looks: bool = False) -> Mapping[str, Any]:
    """Let facts arrive an hour early and time pass; return what messenger then holds, has sent and has said.

    `looks`: the sending loop looks at the rows after each arrival. Of two stops the first then gives the reason.
    """
    await forget(one, MOMENT - timedelta(hours=1))
    box = Post()
    loop = sender(one.context(), box)
    tape = Tape()
    for name in names:
        await one.apply(tape.record(FACTS[name], name))
        if looks:
            await loop.step()
    for moment in (MOMENT, DUE):
        one.clock.move_to(moment)
        await loop.step()
    reason = "''" if looks else "reason"
    return {
        "ledger": await one.column(f"SELECT concat_ws(' ', about, state, attempt, {reason}) FROM ledger"),  # noqa: S608
        "stops": await one.column("SELECT (about, facts)::text FROM stops WHERE facts <> '{}' ORDER BY about"),
        "contacts": await one.column("SELECT to_jsonb(c) - 'recorded_at' FROM contacts AS c"),
        "letters": [(letter.recipient, letter.outreach_id) for letter in box.letters],
        "said": await one.outgoing(),
        "refused": await one.dead_letters(),
    }


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return every pair of facts of different topics."""
    return [(one, two) for one, two in combinations(names, 2) if FACTS[one].topic != FACTS[two].topic]


async def test_reminders_says_the_same_when_any_two_facts_of_different_topics_arrive_the_other_way_round(
    reminding: Bench,
) -> None:
    """Issue 3, point 4; RELIABILITY 5.14: completed before assigned, departed before assigned, and so on."""
    differ = {}
    for one, two in pairs(OF_REMINDERS):
        before = [name for name in ("person", "assigned") if name not in (one, two)]
        forth = await reminded(reminding, [*before, one, two])
        back = await reminded(reminding, [*before, two, one])
        assert forth["said"]
        if forth != back:
            differ[one, two] = (forth, back)

    assert len(pairs(OF_REMINDERS)) == 16
    assert differ == {}


@pytest.mark.parametrize("looks", [False, True], ids=["in one go", "with a look between"])
async def test_messenger_ends_the_same_when_any_two_facts_of_different_topics_arrive_the_other_way_round(
    messengers: Bench, looks: bool
) -> None:
    """Issue 3, point 4; RELIABILITY 5.14: a stop that arrives before the request it forbids is kept and obeyed."""
    differ = {}
    for one, two in pairs(OF_MESSENGER):
        before = [name for name in ("person", "requested") if name not in (one, two)]
        forth = await sent(messengers, [*before, one, two], looks=looks)
        back = await sent(messengers, [*before, two, one], looks=looks)
        assert forth["ledger"]
        if forth != back:
            differ[one, two] = (forth, back)

    assert len(pairs(OF_MESSENGER)) == 16
    assert differ == {}


async def test_reminders_says_the_same_in_every_order_of_one_story(reminding: Bench) -> None:
    """RELIABILITY 5.14, C5: four facts, 24 orders; the history of a person is one whatever order it is told in."""
    story = ("moved", "assigned", "due changed", "completed")
    wanted = await reminded(reminding, story)
    differ = [order for order in permutations(story) if await reminded(reminding, order) != wanted]

    assert differ == []


async def test_completion_before_its_request_silences_it(messengers: Bench) -> None:
    """RELIABILITY 5.14: by name, because lock-step tests hide it."""
    ended = await sent(messengers, ["person", "completed", "requested"])

    assert ended["letters"] == []
    assert ended["ledger"] == ["a1 suppressed 0 completed"]


async def test_withdrawal_before_its_request_silences_it(messengers: Bench) -> None:
    """RELIABILITY 5.14."""
    ended = await sent(messengers, ["person", "taken back", "requested"])

    assert ended["letters"] == []
    assert ended["ledger"] == ["a1 suppressed 0 taken_back"]


async def test_departure_before_the_assignment_leaves_a_reason_for_each_step(reminding: Bench) -> None:
    """B-04, G-09: silence has a reason too."""
    said = await reminded(reminding, ["person", "departed", "assigned"])

    reasons = await reminding.column("SELECT reason FROM decisions ORDER BY moment")
    assert reasons == ["person_departed"] * 3
    assert len(said["said"]) == 3


async def test_new_zone_moves_what_is_planned(reminding: Bench) -> None:
    """B-18: 09:00 is the recipient's 09:00; New York's is 14:00 UTC in winter, Tokyo's midnight."""
    await forget(reminding, ASSIGNED)
    await arrive(reminding, ["person", "assigned"])
    planned = await reminding.column("SELECT next_due_at FROM deadlines")
    await reminding.apply(Tape().record(FACTS["moved"], "moved", offset=9))
    moved = await reminding.column("SELECT next_due_at FROM deadlines")

    assert [at.isoformat() for at in planned + moved] == ["2026-03-02T14:00:00+00:00", "2026-03-02T00:00:00+00:00"]


async def test_changed_due_date_is_told_anew_and_takes_the_old_telling_back(
    reminding: Bench, messengers: Bench
) -> None:
    """B-10, I4: a moved deadline is a new occurrence; what was asked about the old one is not sent any more."""
    tape = Tape()
    await reminding.apply(tape.record(person(), "person"), tape.record(FACTS["assigned"], "assigned"))
    reminding.clock.move_to(MOMENT)
    await reminding.timer()()
    change = due_changed("a1", LATER, occurred_at=MOMENT)
    await reminding.apply(tape.record(change, "changed"))
    reminding.clock.move_to(MOMENT + timedelta(days=20))
    await reminding.timer()()
    told = await reminding.column("SELECT occurrence FROM decisions WHERE requested ORDER BY moment")
    assert told == ["30@2026-03-31", "30@2026-04-20"]

    requests = [
        {"value": row["value"]}
        for row in await reminding.outside.fetch("SELECT value FROM outbox WHERE topic = 'duly.outreach' ORDER BY id")
    ]
    assert len(requests) == 2
    box = Post()
    inbound = Tape()
    await messengers.apply(
        inbound.record(person(), "person"),
        inbound.record(change, "changed"),
        *(inbound.record(requested(OUTREACH), f"r{n}", value=one["value"]) for n, one in enumerate(requests)),
    )
    messengers.clock.move_to(MOMENT + timedelta(days=20))
    await sender(messengers.context(), box).step()
    assert await messengers.column("SELECT state || ' ' || reason FROM ledger ORDER BY not_before") == [
        "suppressed due_changed",
        "sent accepted",
    ]
