"""What people text, all the way: words become blocks that no send passes."""

import asyncio

import pytest

from duly_chassis.numbers import number_digest
from duly_chassis.web import Refusal
from duly_contracts.decode import Fact
from duly_contracts.signals import DeliveryReportedV1
from messenger import handlers
from messenger.blocks import rows as blocks
from messenger.channel import InDoubt, RefusedForGood
from messenger.orders import blocks as block_orders
from messenger.store import Store
from tests.integration.given_signals import (
    DIGEST,
    HOURS,
    LISTED,
    STATE,
    WANTED,
    asked,
    back,
    nothing,
    order,
    out,
    report,
    sending,
    told,
)
from tests.support import callbacks
from tests.support.bench import Bench
from tests.support.callbacks import KEY, NUMBER, SENDER, SHARED, sid
from tests.support.post import Post
from tests.support.records import MOMENT, Tape

pytestmark = pytest.mark.connected


async def test_s67_stop_to_a_shared_sender_stops_all_and_start_restores_only_who_is_confirmed(intakes: Bench) -> None:
    async with callbacks.opened(intakes) as found:
        await callbacks.text(found.address, "STOP", 1, SHARED)
        await callbacks.text(found.address, "START", 2, SHARED)
    acme, globex = (number_digest(KEY, tenant, NUMBER, SHARED) for tenant in ("acme", "globex"))

    assert await told(intakes) == [("sms-opted-out", "acme", "keyword"), ("sms-opted-out", "globex", "keyword")]
    with pytest.raises(Refusal, match="no_such_start"):  # another tenant's START is nobody's to confirm
        await order(intakes, "/v1/starts/confirm", number_digest=globex)
    await order(intakes, "/v1/starts/confirm", number_digest=acme)
    assert (await told(intakes))[2:] == [("sms-opted-in", "acme", "ada")]
    with pytest.raises(Refusal, match="no_such_start"):
        await order(intakes, "/v1/starts/confirm", number_digest=acme)
    assert await intakes.column("SELECT tenant_id FROM starts") == ["globex"]


async def test_start_to_a_sender_of_one_tenant_needs_nobody_and_a_later_stop_ends_what_waits(intakes: Bench) -> None:
    async with callbacks.opened(intakes) as found:
        await callbacks.text(found.address, "start", 1, SENDER)
        await callbacks.text(found.address, "start", 2, SHARED)
        await callbacks.text(found.address, "no more", 3, SHARED)

    assert [kind for kind, _, _ in await told(intakes)] == ["sms-opted-in", "sms-opted-out", "sms-opted-out"]
    assert await intakes.column("SELECT count(*) FROM starts") == [0]


async def test_start_that_nobody_confirms_lapses(intakes: Bench) -> None:
    async with callbacks.opened(intakes) as found:
        await callbacks.text(found.address, "start", 2, SHARED)
    intakes.clock.move_to(MOMENT.replace(month=4))
    await intakes.timer()()

    assert await intakes.column("SELECT count(*) FROM starts") == [0]
    assert await intakes.column("SELECT decision FROM decisions") == ["lapsed", "lapsed"]


async def test_words_are_kept_only_where_a_person_should_read_them_and_until_they_have(intakes: Bench) -> None:
    async with callbacks.opened(intakes) as found:
        for number, words in enumerate(("STOP", "canary hello", "please leave me alone", "help")):
            await callbacks.text(found.address, words, number, SENDER)
            await callbacks.text(found.address, words, number, SENDER)  # Twilio may come twice
    assert await intakes.column("SELECT words FROM reviews") == ["please leave me alone"]
    await order(intakes, "/v1/reviews/close", key=sid(2))
    assert await intakes.column("SELECT count(*) FROM reviews") == [0]
    whole = await intakes.column("SELECT c::text FROM callbacks AS c")
    assert [row for row in whole if "canary" in row or NUMBER in row] == []


async def test_stop_to_a_sender_that_is_nobodys_has_no_effect_and_is_counted(intakes: Bench) -> None:
    async with callbacks.opened(intakes) as found:
        await callbacks.text(found.address, "STOP", 1, "+15005550006")
        assert found.counted("duly_edge_taken_total", edge="twilio_inbound", outcome="unknown_sender") == 1

    assert await told(intakes) == []


async def test_word_of_twilio_itself_counts_whatever_the_text_says(intakes: Bench) -> None:
    async with callbacks.opened(intakes) as found:
        await callbacks.text(found.address, "hmm", 1, SENDER, OptOutType="STOP")

    assert await told(intakes) == [("sms-opted-out", "acme", "keyword")]


async def test_block_holds_until_start_and_the_order_of_words_does_not_matter(messengers: Bench) -> None:
    tape = Tape()
    await messengers.apply(tape.record(out(1), "1"))
    assert await asked(messengers) == set(WANTED)
    await messengers.apply(tape.record(back(3), "3"))
    assert await asked(messengers) == set()
    await messengers.apply(tape.record(out(2), "2"), tape.record(out(2), "2 again"))
    assert await asked(messengers) == set()
    await messengers.apply(tape.record(out(4), "4"))

    assert await asked(messengers) == set(WANTED)
    assert await messengers.column("SELECT count(*) FROM blocks_history") == [5]


async def test_block_of_another_tenant_forbids_nothing(messengers: Bench) -> None:
    await messengers.apply(Tape().record(out(tenant="globex"), "1"))

    assert await asked(messengers) == set()


async def test_s68_gate_passes_a_text_over_whose_number_is_blocked_or_is_just_being_blocked(messengers: Bench) -> None:
    async with messengers.database.transaction() as blocking:
        tx = Store(blocking)
        await tx.lock_numbers([DIGEST])
        async with messengers.database.transaction() as gate:
            assert await blocks.shut(gate, WANTED) == set(WANTED)
    async with messengers.database.transaction() as gate:
        assert await blocks.shut(gate, WANTED) == set()
    await messengers.apply(Tape().record(out(), "1"))
    async with messengers.database.transaction() as gate:
        assert await blocks.shut(gate, WANTED) == set(WANTED)


async def test_s68_block_commits_only_after_the_gate_that_was_open_before_it(messengers: Bench) -> None:
    """I3: no send begins after the block's commit, since that commit waits for the writing."""
    async with messengers.database.transaction() as gate:
        assert await blocks.shut(gate, WANTED) == set()
        blocking = asyncio.create_task(messengers.apply(Tape().record(out(), "1")))
        await asyncio.wait([blocking], timeout=0.5)
        assert not blocking.done()
        assert await asked(messengers) == set()
    await blocking

    assert await asked(messengers) == set(WANTED)


async def test_s68_text_that_is_claimed_when_its_number_is_blocked_is_not_sent(messengers: Bench) -> None:
    tape, box = Tape(), Post(open=asyncio.Event())
    loop = await sending(messengers, tape, box)
    step = asyncio.create_task(loop.step())
    await box.reached.wait()
    await messengers.apply(tape.record(out(), "1"))
    box.open.set()
    await step
    await loop.step()

    assert box.letters == []
    assert await messengers.column(STATE) == ["due number_blocked"]


async def test_block_list_is_asked_before_a_text_is_claimed_and_the_next_channel_is_not_touched_by_it(
    messengers: Bench,
) -> None:
    tape, box = Tape(), Post()
    loop = await sending(messengers, tape, box)
    await messengers.outside.execute("""UPDATE ledger SET plan = '[{"channel": "mail"}]'""")
    await messengers.apply(tape.record(out(), "1"))
    await loop.step()

    assert box.letters == []
    assert await messengers.column("SELECT channel || ' ' || state || ' ' || reason FROM ledger") == [
        "mail due number_blocked"
    ]
    assert await messengers.outgoing() == []  # nothing is wrong with the person's data


async def test_s69_stop_that_only_the_provider_knows_of_blocks_the_number(messengers: Bench) -> None:
    tape, box = Tape(), Post(RefusedForGood("opted_out", "21610", address=True))
    loop = await sending(messengers, tape, box)
    await loop.step()

    assert await asked(messengers) == set(WANTED)
    assert await messengers.column("SELECT word_class FROM blocks") == ["provider"]


async def test_s69_stop_in_a_report_blocks_the_number_once(messengers: Bench) -> None:
    tape, box = Tape(), Post(InDoubt("lost"))
    await (await sending(messengers, tape, box)).step()
    heard = next(one for one in messengers.service.listens if DeliveryReportedV1 in one.types)
    for number in range(2):
        facts = [Fact(str(number), "x", report("failed", "21610"), 0)]
        async with messengers.database.transaction() as connection:
            await handlers.delivery_reported(facts, MOMENT, Store(connection), listed=LISTED, hours=HOURS)

    assert heard.topic.name == "duly.signals"
    assert await asked(messengers) == set(WANTED)
    assert await messengers.column("SELECT count(*) FROM blocks_history") == [1]
    assert await messengers.column(STATE) == ["refused number_blocked"]


async def test_s70_reply_that_acknowledges_has_no_effect_and_is_kept(intakes: Bench) -> None:
    """Nothing can be acknowledged by text, from whatever number: it ends, confirms and tells nothing."""
    async with callbacks.opened(intakes) as found:
        answers = [await callbacks.text(found.address, words, number) for number, words in enumerate(("1", " 1. "), 1)]

    assert [status for status, _, _ in answers] == [200, 200]
    assert await told(intakes) == []
    assert await intakes.column("SELECT count(*) FROM callbacks") == [2]


async def test_key_that_left_while_numbers_are_blocked_under_it_is_noticed(messengers: Bench) -> None:
    await messengers.apply(Tape().record(out(), "1"))
    (asked_,) = [one for one in messengers.service.gauges if one.name == "duly_untestable_blocks_records"]
    assert await messengers.column(asked_.query) == [1]
    async with messengers.database.transaction() as connection:
        await block_orders.prepares([KEY], nothing)(Store(connection))

    assert await messengers.column(asked_.query) == [0]
