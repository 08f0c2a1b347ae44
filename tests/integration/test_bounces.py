"""Bounces on a real database, through a real SMTP conversation: what they settle, and whom they never touch."""

import asyncio
from base64 import b64encode
from datetime import timedelta
from uuid import UUID

import pytest

from messenger import answers
from messenger.bounces import taking
from messenger.bounces.door import BounceDoor
from messenger.channel import Accepted, Answer, InDoubt
from messenger.orders import bounces as bounce_orders
from tests.integration.given_bounces import FAILED, OUTREACH, SENT, STATE, STORY, counted, listed, order, sender, sent
from tests.support.bench import Bench
from tests.support.post import ALWAYS, Post
from tests.support.records import MOMENT, Tape, person, requested
from tests.support.returned import PATH, delivered, notice

pytestmark = pytest.mark.connected


async def test_failure_after_sent_is_refused_told_and_marks_the_address(messengers: Bench, door: BounceDoor) -> None:
    """RELIABILITY 6 (SMTP, late refusal): sent was true when it was told; what is true now is told beside it."""
    back = await sent(messengers)
    reply = await delivered(door.port, notice(), back)

    assert reply.code == 250
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert await messengers.outgoing() == [SENT, FAILED]
    assert [(one["person_id"], one["code"], one["outreach_id"]) for one in (await listed(messengers))["dead"]] == [
        ("p1", "5.1.1", OUTREACH)
    ]
    assert await counted(messengers, "failed") == 1


async def test_notification_that_settles_a_mail_as_sent_lets_its_policy_wait_for_an_answer(
    messengers: Bench, door: BounceDoor
) -> None:
    """As the relay's own answer does; where another channel is ahead."""
    back = await sent(messengers, InDoubt("timeout"))
    await messengers.outside.execute(
        """UPDATE ledger SET plan = '[{"channel": "sms", "after_min": 30, "when": ["unanswered"]}]'"""
    )
    await delivered(door.port, notice("delivered"), back)

    assert await messengers.column(STATE) == ["sent delivered 5.1.1"]
    assert await messengers.column("SELECT next_due_at FROM ledger") == [MOMENT + timedelta(minutes=30)]


@pytest.mark.parametrize("parks", [False, True])
@pytest.mark.parametrize(
    ("action", "end", "told"),
    [("failed", "refused bounced 5.1.1", FAILED), ("delivered", "sent delivered 5.1.1", SENT)],
)
async def test_notification_settles_what_is_in_doubt(
    messengers: Bench, door: BounceDoor, parks: bool, action: str, end: str, told: str
) -> None:
    """RELIABILITY 6.7: either proves that the relay had accepted it; nobody needs to decide any more."""
    back = await sent(messengers, InDoubt("connection_lost"))
    if parks:
        messengers.clock.move_to(MOMENT + timedelta(minutes=15))
        await messengers.timer()()
    await delivered(door.port, notice(action), back)
    messengers.clock.move_to(MOMENT + timedelta(hours=1))
    await messengers.timer()()

    assert await messengers.column(STATE) == [end]
    assert (await messengers.outgoing())[-1] == told


@pytest.mark.parametrize("answer", [Accepted("relay-1"), InDoubt("timeout")], ids=["accepted", "in doubt"])
async def test_bounce_that_comes_before_our_own_answer_ends_alike(
    messengers: Bench, door: BounceDoor, answer: Answer
) -> None:
    """The relay may bounce while the row is still on its way: order does not matter, and nothing is sent again."""
    tape, box = Tape(), Post(answer, writable=asyncio.Event())
    await messengers.apply(tape.record(person(), "v1"), tape.record(requested(OUTREACH), "r1"))
    loop = sender(messengers, box)
    step = asyncio.create_task(loop.step())
    await box.inside.wait()
    assert await messengers.column("SELECT state FROM ledger") == ["posting"]
    back = PATH.address("acme", OUTREACH, 1)
    bouncing = asyncio.create_task(delivered(door.port, notice(), back))
    box.writable.set()
    await asyncio.gather(step, bouncing)
    await loop.step()

    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert len(box.letters) == 1
    assert (await messengers.outgoing())[-1] == FAILED


async def test_answer_that_comes_after_the_bounce_changes_nothing(messengers: Bench, door: BounceDoor) -> None:
    """The same, with the order held: the bounce commits first."""
    tape, box = Tape(), Post(open=asyncio.Event())
    await messengers.apply(tape.record(person(), "v1"), tape.record(requested(OUTREACH), "r1"))
    step = asyncio.create_task(sender(messengers, box).step())
    await box.reached.wait()
    await delivered(door.port, notice(), PATH.address("acme", OUTREACH, 1))
    box.open.set()
    await step

    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert await messengers.outgoing() == [FAILED]


async def test_same_bounce_twice_changes_nothing(messengers: Bench, door: BounceDoor) -> None:
    """Through either door: the relay repeats what it got no answer for, and people give a folder twice."""
    back = await sent(messengers)
    mail = notice(to=f"<{back}>")
    await delivered(door.port, mail, back)
    await delivered(door.port, mail, back.upper())
    again = await order(messengers, bounce_orders.takes(PATH, ALWAYS), mail=b64encode(mail).decode())

    assert again == {"kind": taking.REPEATED, "outreach_id": OUTREACH, "changed": False}
    assert await messengers.outgoing() == [SENT, FAILED]
    assert await messengers.column("SELECT count(*) FROM ledger_history WHERE reason = 'bounced'") == [1]
    assert await counted(messengers, "repeated") == 1


async def test_second_bounce_about_one_message_is_a_line_of_its_story(messengers: Bench, door: BounceDoor) -> None:
    back = await sent(messengers)
    await delivered(door.port, notice("delayed", "4.4.1", name="n0"), back)
    assert await messengers.column(STORY) == ["sent bounce_delayed 4.4.1"]
    await delivered(door.port, notice(name="n1"), back)
    await delivered(door.port, notice(name="n2", status="5.7.1"), back)

    assert await messengers.column(STORY) == ["refused bounce_failed 5.7.1"]
    assert await messengers.column(STATE) == ["refused bounced 5.1.1"]
    assert await messengers.outgoing() == [SENT, FAILED]


@pytest.mark.parametrize("status", ["5.2.2", "4.4.7", "5.7.1", "5.1.0", "5.1.8"])
async def test_failure_that_does_not_blame_the_address_leaves_it_alive(
    messengers: Bench, door: BounceDoor, status: str
) -> None:
    await delivered(door.port, notice(status=status), await sent(messengers))

    assert await messengers.column(STATE) == [f"refused bounced {status}"]
    assert (await listed(messengers))["dead"] == []


async def test_bounce_for_an_unknown_message_is_counted_and_listed(messengers: Bench, door: BounceDoor) -> None:
    """The signature is ours, the row is gone, or never was in this database."""
    tape = Tape()
    back = await sent(messengers, tape=tape)
    await messengers.outside.execute("DELETE FROM ledger WHERE person_id = 'p1'")
    await delivered(door.port, notice(), back)
    assert await counted(messengers, "unknown") == 1
    assert (await listed(messengers))["odd"] == []  # nothing is left by which the tenant could be known

    await messengers.apply(tape.record(requested(UUID(int=2), "a2"), "r2"))
    await delivered(door.port, notice(), back)
    assert [(one["outreach_id"], one["known"]) for one in (await listed(messengers))["odd"]] == [(OUTREACH, False)]
    assert await messengers.column("SELECT state FROM ledger") == ["due"]


async def test_tenants_with_the_same_ids_never_meet(messengers: Bench, door: BounceDoor) -> None:
    """K-10, I8: the signature binds the tenant; the other's message, person and list stay untouched."""
    tape = Tape()
    first = await sent(messengers, tape=tape)
    second = await sent(messengers, tape=tape, tenant_id="bolt")
    assert first != second
    await delivered(door.port, notice(), second)

    assert await messengers.column(STATE) == ["sent accepted ", "refused bounced 5.1.1"]
    assert (await listed(messengers))["dead"] == []
    assert len((await listed(messengers, "bolt"))["dead"]) == 1
    async with messengers.database.reading("acme") as connection:
        assert (await answers.bounces(connection, {"tenant": "bolt"})) == {"dead": [], "odd": []}


async def test_bounce_is_part_of_the_story(messengers: Bench, door: BounceDoor) -> None:
    """G-09's manner: `duly explain` shows what came back, and when."""
    back = await sent(messengers)
    await delivered(door.port, notice("delayed", "4.4.1", name="n0"), back)
    await delivered(door.port, notice(), back)
    async with messengers.database.reading("acme") as connection:
        story = await answers.explain(connection, {"tenant": "acme", "person": "p1", "assignment": "a1"})
    [message] = story["messages"]

    assert [(one["state"], one["reason"], one["code"]) for one in message["history"]][-3:] == [
        ("sent", "accepted", ""),
        ("sent", "bounce_delayed", "4.4.1"),
        ("refused", "bounced", "5.1.1"),
    ]


async def test_bounces_and_new_records_do_not_wait_for_each_other_for_ever(messengers: Bench, door: BounceDoor) -> None:
    """Both lock the contact before its messages: no deadlock, whatever comes when."""
    tape = Tape()
    back = await sent(messengers, tape=tape)
    for number in range(2, 12):
        record = tape.record(person(number), f"v{number}")
        mails = [notice("delayed", "4.4.1", name=f"{number}-{one}") for one in range(3)]
        done = await asyncio.gather(messengers.apply(record), *(delivered(door.port, mail, back) for mail in mails))
        assert [reply.code for reply in done[1:] if reply] == [250] * 3
    assert await messengers.column("SELECT count(*) FROM bounces") == [30]


async def test_earlier_attempt_tells_its_story_and_settles_nothing(messengers: Bench, door: BounceDoor) -> None:
    """Attempt 1 was in doubt, a person had it sent again: what came back is not the second mail."""
    back = await sent(messengers, InDoubt("timeout"))
    await messengers.outside.execute("UPDATE ledger SET state = 'due', next_due_at = $1", MOMENT)
    await sender(messengers, Post()).step()
    await delivered(door.port, notice(status="5.2.2"), back)

    assert await messengers.column(STATE) == ["sent accepted "]
    assert await messengers.column(STORY) == ["sent bounce_failed 5.2.2"]


async def test_delivery_that_is_proved_is_not_sent_again(messengers: Bench, door: BounceDoor) -> None:
    """I2: a person ordered another try, and then the proof came that the first had arrived."""
    back = await sent(messengers, InDoubt("timeout"))
    await messengers.outside.execute("UPDATE ledger SET state = 'due', next_due_at = $1", MOMENT)
    await delivered(door.port, notice("relayed", "2.0.0"), back)
    box = Post()
    await sender(messengers, box).step()

    assert (box.letters, await messengers.column(STATE)) == ([], ["sent delivered 2.0.0"])


@pytest.mark.parametrize("action", ["failed", "delivered"])
async def test_bounce_of_a_mail_settles_nothing_once_its_message_is_on_another_channel(
    messengers: Bench, door: BounceDoor, action: str
) -> None:
    """The text that is on its way is another try; what the mail became is a line of the story."""
    back = await sent(messengers)
    await messengers.outside.execute("UPDATE ledger SET channel = 'sms', state = 'due', next_due_at = $1", MOMENT)
    await delivered(door.port, notice(action), back)

    assert await messengers.column("SELECT channel || ' ' || state FROM ledger") == ["sms due"]
    assert await messengers.column(STORY) == [f"due bounce_{action} 5.1.1"]
