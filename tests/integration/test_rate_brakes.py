"""Brakes on the rate: what is far more than usual waits for a person."""

import asyncio
from collections.abc import Sequence

import pytest

from messenger import answers
from messenger.limits.braking import hour_of
from tests.integration.given_brakes import (
    A_MINUTE,
    A_WEEK,
    REPORTS,
    ask,
    due,
    limited,
    names,
    release,
    reported,
    rounds,
)
from tests.support.bench import Bench
from tests.support.post import Post
from tests.support.records import MOMENT, Tape

pytestmark = pytest.mark.connected


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
