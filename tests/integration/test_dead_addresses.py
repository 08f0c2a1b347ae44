"""Dead addresses: nothing goes to them, until the person has a new one or somebody believes in them again."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from duly_chassis.web import Refusal
from messenger import reading
from messenger.bounces.door import BounceDoor
from messenger.orders import bounces as bounce_orders
from tests.integration.given_bounces import SENT, STATE, another, listed, order, sender, sent
from tests.support.bench import Bench
from tests.support.post import Post
from tests.support.records import MOMENT, Tape, person, requested
from tests.support.returned import delivered, notice

pytestmark = pytest.mark.connected


async def test_nothing_goes_to_a_dead_address_until_the_person_has_a_new_one(
    messengers: Bench, door: BounceDoor
) -> None:
    """Withheld with its reason, seen at once; a new record wakes it."""
    tape = Tape()
    await delivered(door.port, notice(), await sent(messengers, tape=tape))
    box = await another(messengers, tape)
    assert (box.letters, await messengers.column(STATE)) == ([], ["refused bounced 5.1.1", "due address_dead "])

    await messengers.apply(tape.record(person(2), "v2"))
    await sender(messengers, box).step()
    assert box.letters == []

    moved = person(3)
    moved = person(3, personal=type(moved.personal)(name="Ada", mail="ada.new@example.org"))
    await messengers.apply(tape.record(moved, "v3"))
    await sender(messengers, box).step()
    assert [letter.recipient for letter in box.letters] == ["ada.new@example.org"]
    assert (await listed(messengers))["dead"] == []


async def test_message_to_a_dead_address_ends_with_that_reason(messengers: Bench, door: BounceDoor) -> None:
    tape = Tape()
    await delivered(door.port, notice(), await sent(messengers, tape=tape))
    box = await another(messengers, tape)
    messengers.clock.move_to(MOMENT + timedelta(days=60))
    await sender(messengers, box).step()

    assert await messengers.column(STATE) == ["refused bounced 5.1.1", "suppressed address_dead "]


async def test_named_person_may_revive_an_address(messengers: Bench, door: BounceDoor) -> None:
    tape = Tape()
    await delivered(door.port, notice(), await sent(messengers, tape=tape))
    box = await another(messengers, tape)
    for said in ({"tenant": "bolt", "person": "p1"}, {"tenant": "acme", "person": "p2"}):
        with pytest.raises(Refusal, match="not_dead"):
            await order(messengers, bounce_orders.revive, by="ada", **said)
    await order(messengers, bounce_orders.revive, tenant="acme", person="p1", by="grace")
    await sender(messengers, box).step()

    assert [letter.outreach_id for letter in box.letters] == [UUID(int=2)]
    told = "SELECT who || ' ' || reason FROM ledger_history WHERE who IS NOT NULL"
    assert await messengers.column(told) == ["grace address_revived"]


async def test_new_address_is_not_blamed_for_the_old_one(messengers: Bench, door: BounceDoor) -> None:
    tape = Tape()
    back = await sent(messengers, tape=tape)
    moved = person(2, personal=type(person().personal)(name="Ada", mail="ada.new@example.org"))
    await messengers.apply(tape.record(moved, "v2"))
    await delivered(door.port, notice(), back)
    box = await another(messengers, tape)

    assert (await messengers.column(STATE))[0] == "refused bounced 5.1.1"
    assert (await listed(messengers))["dead"] == []
    assert len(box.letters) == 1


async def test_dead_address_is_seen_at_the_gate(messengers: Bench, door: BounceDoor) -> None:
    """I3's manner: claimed already, marked since, and still nothing goes."""
    tape, box = Tape(), Post(open=asyncio.Event())
    back = await sent(messengers, tape=tape)
    await messengers.apply(tape.record(requested(UUID(int=2), "a2"), "r2"))
    loop = sender(messengers, box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    await delivered(door.port, notice(), back)
    box.open.set()
    await step
    await loop.step()

    assert (box.letters, await messengers.column(STATE)) == ([], ["refused bounced 5.1.1", "due address_dead "])


async def test_contact_is_read_for_a_preview_with_what_a_bounce_told_of_it(messengers: Bench, door: BounceDoor) -> None:
    """A reader's own statement: it must bring every column that a contact is made of."""
    address = await sent(messengers)
    async with messengers.database.reading("acme") as connection:
        before = await reading.contact(connection, "acme", "p1")
        stranger = await reading.contact(connection, "acme", "p2")
    await delivered(door.port, notice(), address)
    async with messengers.database.reading("acme") as connection:
        after = await reading.contact(connection, "acme", "p1")

    assert before is not None
    assert after is not None
    assert stranger is None
    assert (before.dead, after.dead) == (False, True)


async def test_dead_address_moves_a_message_on_where_another_channel_is_ahead(
    messengers: Bench, door: BounceDoor
) -> None:
    """A bounce is an answer about the address: the person hears it another way, and the finding is told."""
    back = await sent(messengers)
    await messengers.outside.execute("""UPDATE ledger SET plan = '[{"channel": "sms"}]'""")
    await delivered(door.port, notice(), back)

    assert await messengers.column("SELECT channel || ' ' || state || ' ' || reason FROM ledger") == ["sms due bounced"]
    assert await messengers.outgoing() == [SENT, "duly.decisions.address-lost.v1"]
