"""Messenger's ledger on a real database: told once, tried again, and never out of hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from duly_chassis.database import Connection
from messenger.app import sending
from messenger.channel import Accepted, Answer, InDoubt, RefusedForGood, RefusedForNow, Withheld
from messenger.planning.hours import Hours
from messenger.sending.leases import Leases
from messenger.sending.ledger import Ledger
from messenger.words.wording import Words
from tests.integration.given_messages import OUTREACH, STATE, ask, lapse
from tests.support import post
from tests.support.bench import Bench
from tests.support.post import Post, sender
from tests.support.records import DUE, MOMENT, Tape, person, requested

pytestmark = pytest.mark.connected


@pytest.mark.parametrize(
    ("answer", "woken"),
    [(Accepted("relay-1"), ["told"]), (InDoubt("timeout"), ["told"]), (Withheld(), ["committed"])],
    ids=["accepted", "in doubt", "due again at once"],
)
async def test_settled_wave_wakes_the_relay_alone_unless_something_is_due(
    messengers: Bench, answer: Answer, woken: list[str]
) -> None:
    """Each loop that looks in vain costs a transaction, and after each wave they all did."""
    seen: list[str] = []
    context = replace(
        messengers.context(), committed=lambda: seen.append("committed"), told=lambda: seen.append("told")
    )
    await ask(messengers, Tape())
    await sender(context, Post(answer)).step()

    assert seen == woken


async def test_answer_written_while_the_clock_passes_its_moment_wakes_every_loop(
    messengers: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 7.9: a driven clock may jump over the wait of a doubt before that doubt is committed."""
    seen: list[str] = []
    context = replace(messengers.context(), committed=lambda: seen.append("committed"))
    real = Ledger.change

    async def change(self: Ledger, *arguments: Any) -> Any:
        done = await real(self, *arguments)
        messengers.clock.move_to(DUE)
        return done

    monkeypatch.setattr("messenger.sending.ledger.Ledger.change", change)
    await ask(messengers, Tape())
    await sender(context, Post(InDoubt("timeout"))).step()

    assert seen == ["committed"]


async def test_request_under_a_known_key_is_told_already(messengers: Bench) -> None:
    """I2; B-02: two services, or one twice, ask for the same thing: one message, and the other is closed."""
    tape = Tape()
    await messengers.apply(tape.record(requested(UUID(int=1), dedupe_key="k"), "r1"))
    await messengers.apply(tape.record(requested(UUID(int=2), dedupe_key="k"), "r2"))
    await messengers.apply(tape.record(requested(UUID(int=1), dedupe_key="k"), "r1 again"))

    assert await messengers.column("SELECT outreach_id FROM ledger") == [UUID(int=1)]
    assert await messengers.outgoing() == ["duly.outreach.suppressed.v1"]
    assert b'"already_told"' in (await messengers.column("SELECT value FROM outbox"))[0]


async def test_same_key_of_another_tenant_is_another_message(messengers: Bench) -> None:
    """K-10, I8."""
    tape = Tape()
    await messengers.apply(
        *(tape.record(requested(uuid4(), dedupe_key="k", tenant_id=one), f"r-{one}") for one in ("acme", "bolt"))
    )

    assert await messengers.column("SELECT tenant_id FROM ledger ORDER BY 1") == ["acme", "bolt"]


async def test_message_waits_for_the_recipients_record_and_for_their_hours(messengers: Bench) -> None:
    """I4; B-18: the record is on another topic; at 09:00 UTC it is 18:00 in Tokyo and the office is closed."""
    tape, box = Tape(), Post()
    await messengers.apply(tape.record(requested(OUTREACH), "r1"))
    loop = sender(messengers.context(), box, Hours(time(8), time(17), "UTC"))
    await loop.step()
    assert await messengers.column(STATE) == ["due recipient_unknown"]

    await messengers.apply(tape.record(person(zone="Asia/Tokyo"), "v1"))
    await loop.step()
    assert await messengers.column(STATE) == ["due outside_hours"]

    messengers.clock.move_to(MOMENT + timedelta(hours=14))  # 08:00 in Tokyo, inclusive
    await loop.step()
    assert await messengers.column(STATE) == ["sent accepted"]


async def test_refused_for_now_waits_longer_each_time_and_ends_when_it_is_of_no_use(messengers: Bench) -> None:
    """RELIABILITY 6.5: 1, 5, 15, 60 minutes, then hourly; a row, not a retry."""
    box = Post(RefusedForNow("busy", "451"))
    await ask(messengers, Tape())
    loop = sender(messengers.context(), box)
    pauses = []
    for _ in range(5):
        await loop.step()
        [due_at] = await messengers.column("SELECT next_due_at FROM ledger")
        pauses.append((due_at - messengers.clock.now()) / timedelta(minutes=1))
        messengers.clock.move_to(due_at - timedelta(seconds=1))
        await loop.step()
        messengers.clock.move_to(due_at)
    assert pauses == [1, 5, 15, 60, 60]
    assert len(box.letters) == 5

    messengers.clock.move_to(DUE)
    await loop.step()
    assert await messengers.column(STATE) == ["suppressed expired"]


async def test_refused_for_good_is_final_and_told(messengers: Bench) -> None:
    """RELIABILITY 6.5."""
    await ask(messengers, Tape())
    await sender(messengers.context(), Post(RefusedForGood("no_such_mailbox", "550"))).step()

    assert await messengers.column(STATE) == ["refused no_such_mailbox"]
    assert await messengers.outgoing() == ["duly.outreach.failed.v1"]


@pytest.mark.parametrize(("senders", "batch_max"), [(1, 32), (2, 16), (2, 32), (3, 16), (4, 32)])
async def test_at_most_32_messages_of_a_process_are_on_their_way(
    messengers: Bench, senders: int, batch_max: int
) -> None:
    """RELIABILITY 6.2: what a kill can leave in doubt."""
    await ask(messengers, Tape(), 70)
    settings = messengers.settings.model_copy(update={"senders": senders, "sender_batch_max": batch_max})
    words = Words(settings)  # type: ignore[arg-type]
    loops = [loop.step(messengers.context()) for loop in sending(settings, words)[:-1]]  # type: ignore[arg-type]
    boxes = [Post(open=asyncio.Event()) for _ in loops]
    for loop, box in zip(loops, boxes, strict=True):
        loop.__self__._channel = box  # type: ignore[attr-defined]
    steps = [asyncio.ensure_future(loop()) for loop in loops]
    await asyncio.gather(*(box.reached.wait() for box in boxes))
    posting = await messengers.column("SELECT count(*) FROM ledger WHERE state = 'posting'")
    for box in boxes:
        box.open.set()
    await asyncio.gather(*steps)
    await words.close()

    assert posting == [min(batch_max, 32 // senders) * senders]
    assert posting[0] <= 32
    assert sum(len(box.letters) for box in boxes) == posting[0]


async def test_lapsed_lease_brings_a_message_into_doubt_at_once(messengers: Bench) -> None:
    """I2; RELIABILITY 6.2, 6.7: a sender that shows no life may have written the body: never sent again blindly."""
    box = Post(open=asyncio.Event())
    await ask(messengers, Tape())
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    await lapse(messengers, loop.token)
    await sender(messengers.context(), box).step()

    assert await messengers.column(STATE) == ["in_doubt sender_lost"]
    assert box.letters == []


async def test_lease_is_renewed_while_its_sender_lives(messengers: Bench) -> None:
    """RELIABILITY 6.7: on the machine clock; a slow relay is no lost sender."""
    box = Post(open=asyncio.Event())
    await ask(messengers, Tape())
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    until_before = await messengers.column("SELECT lease_until FROM ledger")
    await Leases(messengers.context(), lambda: [loop.token], post.rules()).step()
    assert await messengers.column("SELECT lease_until FROM ledger") > until_before
    await Leases(messengers.context(), lambda: [uuid4()], post.rules()).step()
    box.open.set()
    await step

    assert await messengers.column(STATE) == ["sent accepted"]


async def test_attempt_whose_commit_was_reported_as_failed_ends_in_doubt_not_nowhere(
    messengers: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """I1; RELIABILITY 5.7: the row says posting and nobody has it; its lease must not be renewed for ever."""
    await ask(messengers, Tape())
    context = messengers.context()
    loop = sender(context, Post())
    real = messengers.database.transaction

    @asynccontextmanager
    async def lies() -> AsyncIterator[Connection]:
        async with real() as connection:
            yield connection
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(messengers.database, "transaction", lies)
        with pytest.raises(ConnectionResetError):
            await loop.step()
    assert await messengers.column(STATE) == ["posting sending"]
    before = await messengers.column("SELECT lease_until FROM ledger")
    await Leases(context, lambda: [loop.token], post.rules()).step()
    assert await messengers.column("SELECT lease_until FROM ledger") == before
    await lapse(messengers, loop.token)

    assert await messengers.column(STATE) == ["in_doubt sender_lost"]
