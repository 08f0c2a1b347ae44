"""Messenger's ledger on a real database: told once, stopped in time, in doubt until a person decides."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from duly_chassis import outbox
from duly_chassis.applying import Counted
from duly_chassis.database import Connection
from duly_chassis.web import Refusal
from messenger import answers
from messenger.app import sending
from messenger.channel import Accepted, Answer, InDoubt, RefusedForGood, RefusedForNow, Withheld
from messenger.orders import parked as orders
from messenger.planning.hours import Hours
from messenger.sending.leases import Leases
from messenger.sending.ledger import Ledger
from messenger.store import Store
from messenger.words.wording import Words
from tests.support import post
from tests.support.bench import Bench
from tests.support.post import Post, sender
from tests.support.records import DUE, MOMENT, Tape, completed, due_changed, person, requested, taken_back
from tests.support.waiting import until

pytestmark = pytest.mark.connected

OUTREACH = UUID(int=1)
STATE = "SELECT state || ' ' || reason FROM ledger ORDER BY outreach_id"
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"


async def ask(messengers: Bench, tape: Tape, number: int = 1) -> None:
    """Make the person known and ask for messages that may go now."""
    events = [tape.record(requested(UUID(int=n), f"a{n}"), f"r{n}") for n in range(1, number + 1)]
    await messengers.apply(tape.record(person(), "v1"), *events)


def departed() -> Any:
    """Return the record of the person after they left."""
    return person(2, status="departed")


STOPS = {
    "completed": (lambda: completed("a1"), "suppressed completed"),
    "due changed": (lambda: due_changed("a1", DUE), "suppressed due_changed"),
    "departed": (departed, "suppressed person_departed"),
    "withdrawn": (lambda: taken_back(OUTREACH), "suppressed taken_back"),
}


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


@pytest.mark.parametrize(("stop", "end"), STOPS.values(), ids=STOPS)
async def test_stop_committed_before_the_gate_means_not_sent(messengers: Bench, stop: Any, end: str) -> None:
    """I3; RELIABILITY 3.4, 6.3: claimed already, and still nothing goes."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await ask(messengers, tape)
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    assert await messengers.column(STATE) == ["posting sending"]
    await messengers.apply(tape.record(stop(), "stop"))
    box.open.set()
    await step
    await loop.step()

    assert box.letters == []
    assert await messengers.column(STATE) == [end]
    assert await messengers.outgoing() == ["duly.outreach.suppressed.v1"]


@pytest.mark.parametrize(("stop", "_end"), STOPS.values(), ids=STOPS)
async def test_stop_waits_while_the_gate_is_held(messengers: Bench, stop: Any, _end: str) -> None:
    """I3; RELIABILITY 6.3: no request begins after the stop's commit, since that commit waits for the writing."""
    tape, box = Tape(), Post(writable=asyncio.Event())
    await ask(messengers, tape)
    step = asyncio.create_task(sender(messengers.context(), box).step())
    await box.inside.wait()
    stopping = asyncio.create_task(messengers.apply(tape.record(stop(), "stop")))
    await until(lambda: messengers.column(BLOCKED))
    assert not stopping.done()
    box.writable.set()
    await asyncio.gather(step, stopping)

    assert [letter.outreach_id for letter in box.letters] == [OUTREACH]
    assert await messengers.column(STATE) == ["sent accepted"]


@pytest.mark.parametrize(("stop", "end"), STOPS.values(), ids=STOPS)
async def test_gate_passes_a_row_over_that_a_stop_is_just_changing(messengers: Bench, stop: Any, end: str) -> None:
    """I3; RELIABILITY 6.3: gate and stop never wait for each other."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await ask(messengers, tape)
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    async with messengers.database.transaction() as connection:
        reads = messengers.reads([tape.record(stop(), "stop")])
        await messengers.lanes._applying._handle(connection, [read.outcome for read in reads], Counted())  # type: ignore[misc]
        box.open.set()
        await box.inside.wait()  # while the stop is not yet committed
    await step
    await loop.step()

    assert (box.letters, await messengers.column(STATE)) == ([], [end])


@pytest.mark.parametrize(("stop", "end"), STOPS.values(), ids=STOPS)
async def test_stop_committed_while_the_gate_is_being_taken_is_seen(messengers: Bench, stop: Any, end: str) -> None:
    """I3: between the gate's snapshot and its locks too; the gate reads slowly here, so that there is a between."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await ask(messengers, tape)
    loop = sender(messengers.context(), box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    async with slow_gate(messengers):
        box.open.set()
        await until(lambda: messengers.column(BLOCKED))
        await messengers.apply(tape.record(stop(), "stop"))
    await step
    await loop.step()

    assert (box.letters, await messengers.column(STATE)) == ([], [end])


@asynccontextmanager
async def slow_gate(messengers: Bench) -> AsyncIterator[None]:
    """Let the gate, known by its setting, wait in the middle of its statement until the block ends."""
    await messengers.outside.execute("""
        CREATE FUNCTION waits() RETURNS boolean LANGUAGE plpgsql AS
            $$ BEGIN
                IF current_setting('idle_in_transaction_session_timeout') = '2s' THEN
                    PERFORM pg_advisory_xact_lock_shared(42);
                END IF;
                RETURN true;
            END $$;
        ALTER TABLE ledger RENAME TO ledger_kept;
        CREATE VIEW ledger AS SELECT * FROM ledger_kept WHERE waits();
        GRANT ALL ON ledger TO messenger;
        SELECT pg_advisory_lock(42);
    """)
    yield
    await messengers.outside.execute("SELECT pg_advisory_unlock(42)")


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


async def parked(messengers: Bench) -> Post:
    """Bring a message into doubt, and let its wait pass."""
    box = Post(InDoubt("cut_after_body"))
    await ask(messengers, Tape())
    await sender(messengers.context(), box).step()
    assert await messengers.column(STATE) == ["in_doubt cut_after_body"]
    messengers.clock.move_to(MOMENT + timedelta(minutes=15, seconds=-1))
    assert await messengers.timer()() is False
    assert await messengers.column(STATE) == ["in_doubt cut_after_body"]
    messengers.clock.move_to(MOMENT + timedelta(minutes=15))
    await messengers.timer()()
    assert await messengers.column(STATE) == ["parked cut_after_body"]
    return box


async def test_message_in_doubt_is_parked_after_its_wait_and_shown_with_both_choices(messengers: Bench) -> None:
    """I1, I2; RELIABILITY 6.7: rather late: never sent again by itself, and always to be seen."""
    box = await parked(messengers)
    await sender(messengers.context(), box).step()
    assert len(box.letters) == 1

    async with messengers.database.reading("acme") as connection:
        shown = await answers.parked(connection, {"tenant": "acme"})
    assert set(shown["choices"]) == {"send", "settle"}
    assert [(one["outreach_id"], one["mail"], one["reason"]) for one in shown["parked"]] == [
        (OUTREACH, "ada@example.org", "cut_after_body")
    ]
    assert await messengers.outgoing() == ["duly.outreach.failed.v1"]


@pytest.mark.parametrize("how", ["in the query", "at the reader"])
async def test_parked_messages_of_another_tenant_are_not_shown(messengers: Bench, how: str) -> None:
    """K-10, I8: neither by asking for them nor by asking as somebody else."""
    await parked(messengers)
    asks, reads = ("bolt", "bolt") if how == "in the query" else ("acme", "bolt")
    async with messengers.database.reading(reads) as connection:
        assert (await answers.parked(connection, {"tenant": asks}))["parked"] == []


async def test_message_names_whom_and_what_it_is_about_when_it_is_asked_for_by_its_own_id(messengers: Bench) -> None:
    """A mail in hand says its tenant and its id; the story is then the one of person and assignment."""
    await parked(messengers)
    async with messengers.database.reading("acme") as connection:
        found = await answers.explain(connection, {"tenant": "acme", "outreach": str(OUTREACH)})
        story = await answers.explain(connection, {"tenant": "acme", "person": "p1", "assignment": "a1"})

    assert found == {"person": "p1", "assignment": "a1"} | story
    assert [message["state"] for message in found["messages"]] == ["parked"]


@pytest.mark.parametrize(("asks", "reads"), [("bolt", "bolt"), ("acme", "bolt"), ("bolt", "acme")])
async def test_message_of_another_tenant_is_unknown_by_its_id_too(messengers: Bench, asks: str, reads: str) -> None:
    """K-10, I8: the id alone opens nothing."""
    await parked(messengers)
    async with messengers.database.reading(reads) as connection:
        found = await answers.explain(connection, {"tenant": asks, "outreach": str(OUTREACH)})

    assert found == {"known": False, "messages": []}


@pytest.mark.parametrize("given", ["", "a1", "0" * 200, "' OR 1=1"])
async def test_message_asked_for_by_what_is_no_id_is_refused(messengers: Bench, given: str) -> None:
    async with messengers.database.reading("acme") as connection:
        with pytest.raises(Refusal, match="bad_outreach"):
            await answers.explain(connection, {"tenant": "acme", "outreach": given})


async def order(messengers: Bench, act: Any, **said: str) -> Any:
    """Give an order as the HTTP route does."""
    async with messengers.database.transaction() as connection:
        tx = Store(connection)
        answer = await act({"outreach_id": str(OUTREACH), "by": "ada", **said}, messengers.clock.now(), tx)
        await outbox.put(connection, "duly/messenger", tx.outgoing)
        return answer


async def test_person_may_have_a_parked_message_sent_again(messengers: Bench) -> None:
    """RELIABILITY 6.7: everything is tested again before it goes, and name and time stay."""
    box = await parked(messengers)
    box.answer = Accepted("relay-2")
    assert (await order(messengers, orders.send, tenant="acme"))["state"] == "due"
    await sender(messengers.context(), box).step()

    assert await messengers.column(STATE) == ["sent accepted"]
    assert len({(letter.outreach_id, letter.sender, letter.recipient) for letter in box.letters}) == 1
    assert await messengers.column("SELECT who FROM ledger_history WHERE who IS NOT NULL") == ["ada"]


@pytest.mark.parametrize(
    ("verdict", "end", "told"),
    [
        ("sent", "sent settled_as_sent_by_person", "duly.outreach.sent.v1"),
        ("not_sent", "suppressed settled_as_not_sent_by_person", "duly.outreach.suppressed.v1"),
    ],
)
async def test_person_may_close_a_parked_message(messengers: Bench, verdict: str, end: str, told: str) -> None:
    """RELIABILITY 6.7: on a person's word, with their name."""
    await parked(messengers)
    await order(messengers, orders.settle, tenant="acme", **{"as": verdict})

    assert await messengers.column(STATE) == [end]
    assert (await messengers.outgoing())[-1] == told


@pytest.mark.parametrize("act", [orders.send, orders.settle])
@pytest.mark.parametrize("said", [{"tenant": "bolt"}, {"tenant": "acme", "outreach_id": "no id"}])
async def test_order_about_anothers_message_is_as_unknown_as_none(messengers: Bench, act: Any, said: Any) -> None:
    """K-10; SECURITY 10: 404, never 403."""
    await parked(messengers)
    with pytest.raises(Refusal) as refused:
        await order(messengers, act, **{"as": "sent", **said})

    assert (refused.value.status, refused.value.word) == (404, "not_parked")
    assert await messengers.column(STATE) == ["parked cut_after_body"]


async def test_order_about_a_message_that_is_not_parked_is_refused(messengers: Bench) -> None:
    """I2: nobody can have a sent mail sent twice by a late click."""
    await ask(messengers, Tape())
    await sender(messengers.context(), Post()).step()
    with pytest.raises(Refusal, match="not_parked"):
        await order(messengers, orders.send, tenant="acme")


async def test_answer_that_comes_after_a_persons_decision_changes_nothing(messengers: Bench) -> None:
    """I2: the lease lapsed, a person settled it, and then the relay's answer arrives."""
    box = Post(open=asyncio.Event())
    await ask(messengers, Tape())
    step = asyncio.create_task(sender(messengers.context(), box).step())
    await box.reached.wait()
    await lapse(messengers)
    messengers.clock.move_to(MOMENT + timedelta(minutes=15))
    await messengers.timer()()
    await order(messengers, orders.settle, tenant="acme", **{"as": "not_sent"})
    box.open.set()
    await step

    assert box.letters == []  # the gate gives nothing to whose lease is gone
    assert await messengers.column(STATE) == ["suppressed settled_as_not_sent_by_person"]


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


async def lapse(messengers: Bench, *tokens: UUID) -> None:
    """Let the leases of all that is on its way run out, as after a kill, and let another process notice."""
    await messengers.outside.execute("UPDATE ledger SET lease_until = clock_timestamp() - interval '1 ms'")
    await Leases(messengers.context(), lambda: list(tokens), post.rules()).step()


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
