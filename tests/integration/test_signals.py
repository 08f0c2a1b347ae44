"""What the world tells, all the way: texts become blocks that no send passes, reports settle the ledger."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest

from duly_chassis import outbox
from duly_chassis.numbers import key_mark, number_digest
from duly_chassis.web import Refusal
from duly_contracts.decode import Fact
from duly_contracts.people import PersonalData
from duly_contracts.signals import DeliveryReportedV1, SmsOptedInV1, SmsOptedOutV1
from messenger import handlers
from messenger.blocks import blocking
from messenger.blocks import rows as blocks
from messenger.blocks.block_list import BlockList
from messenger.channel import InDoubt, Letter, RefusedForGood
from messenger.domain import CHANNELS, Contact, Outreach
from messenger.orders import blocks as block_orders
from messenger.sender import Sender
from messenger.store import Store
from tests.support import callbacks
from tests.support.bench import Bench
from tests.support.callbacks import KEY, NUMBER, SENDER, SHARED, sid
from tests.support.post import ALWAYS, Post, rules
from tests.support.records import MOMENT, Tape, person, requested

pytestmark = pytest.mark.connected

OUTREACH = UUID(int=1)
DIGEST = number_digest(KEY, "acme", NUMBER, SENDER)
LISTED = BlockList((KEY,), {SENDER: ("acme",)})
WANTED = {("acme", OUTREACH): LISTED.of("acme", NUMBER)}
HOURS = dict.fromkeys(CHANNELS, ALWAYS)
Said = Literal["keyword", "wish", "doubt"]
STATE = "SELECT state || ' ' || reason FROM ledger ORDER BY outreach_id"
WAITS_FOR_AN_ANSWER = '[{"channel": "mail", "after_min": 30, "when": ["unanswered"]}]'
UNANSWERED = 2  # among messenger's timers


def out(seconds: int = 0, tenant: str = "acme", said: Said = "keyword") -> SmsOptedOutV1:
    at = MOMENT.replace(second=seconds)
    mark = key_mark(KEY)
    return SmsOptedOutV1(tenant_id=tenant, occurred_at=at, number_digest=DIGEST, key_mark=mark, word_class=said)


def back(seconds: int = 0) -> SmsOptedInV1:
    at = MOMENT.replace(second=seconds)
    return SmsOptedInV1(tenant_id="acme", occurred_at=at, number_digest=DIGEST, key_mark=key_mark(KEY))


def report(status: str, code: str = "", tenant: str = "acme", outreach: UUID = OUTREACH) -> DeliveryReportedV1:
    return DeliveryReportedV1(
        tenant_id=tenant,
        occurred_at=MOMENT,
        outreach_id=outreach,
        channel="sms",
        provider_id=sid(1),
        status=status,
        code=code,
    )


async def asked(messengers: Bench) -> set[Any]:
    async with messengers.database.transaction() as connection:
        return await blocks.blocked(connection, WANTED)


async def texted(messengers: Bench, tape: Tape, state: str = "in_doubt") -> None:
    """Have a text on its way, in a state."""
    await messengers.apply(tape.record(requested(OUTREACH), "r1"))
    await messengers.outside.execute("UPDATE ledger SET channel = 'sms', state = $1, attempt = 1, reason = 'x'", state)


async def sending(messengers: Bench, tape: Tape, box: Post) -> Sender:
    """Ask for a text to somebody with a mobile number, and return the loop that sends texts to this post."""
    ada = person(personal=PersonalData(name="Ada", mail="ada@example.org", mobile=NUMBER))
    await messengers.apply(tape.record(ada, "v1"), tape.record(requested(OUTREACH), "r1"))
    await messengers.outside.execute("UPDATE ledger SET channel = 'sms'")
    return Sender(messengers.context(), box, Texts(), replace(rules(), listed=LISTED), "sms")


class Texts:
    """Writes texts."""

    async def prepare(self, rows: Any, now: datetime) -> None:
        """Need nothing."""

    def letter(self, row: Outreach, contact: Contact, now: datetime) -> Letter:  # noqa: ARG002 - as writers are asked
        """Address a text."""
        return Letter(row.outreach_id, SENDER, contact.mobile or "")


async def told(intakes: Bench) -> list[tuple[str, str, str]]:
    """Return what waits in intake's outbox: type, tenant, class."""
    rows = await intakes.outside.fetch("SELECT headers, value FROM outbox ORDER BY id")
    data = [(dict(json.loads(row["headers"]))["ce_type"].split(".")[2], json.loads(row["value"])) for row in rows]
    assert NUMBER not in str(data)
    return [(kind, one["tenant_id"], one.get("word_class", one.get("confirmed_by", ""))) for kind, one in data]


async def order(bench: Bench, path: str, **words: str) -> Any:
    act = next(one for one in bench.service.acts if one.path == path)
    async with bench.database.transaction() as connection:
        tx = bench.service.work(connection)
        answer = await act.act({"tenant": "acme", "by": "ada", "reason": "asked"} | words, bench.clock.now(), tx)
        await outbox.put(connection, bench.service.source, tx.outgoing)
    return answer


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


async def test_s66_person_lifts_a_block_by_name_and_what_waited_for_it_looks_again(messengers: Bench) -> None:
    tape = Tape()
    await texted(messengers, tape, "due")
    await messengers.outside.execute(
        "UPDATE ledger SET reason = 'number_blocked', next_due_at = now() + interval '99 d'"
    )
    await messengers.apply(tape.record(out(said="doubt"), "1"))
    answer = await order(messengers, "/v1/blocks/lift", number_digest=DIGEST)

    assert answer["state"] == "lifted"
    assert await asked(messengers) == set()
    assert await messengers.column("SELECT next_due_at FROM ledger") == [MOMENT]
    assert await messengers.column("SELECT who || ' ' || why FROM blocks_history ORDER BY id DESC LIMIT 1") == [
        "ada asked"
    ]
    for digest in (DIGEST, "canary"):
        with pytest.raises(Refusal, match="not_blocked"):
            await order(messengers, "/v1/blocks/lift", number_digest=digest)


LIFTED = {
    "STOP": ((out(),), False),
    "a wish in other words": ((out(said="wish"),), True),
    "a doubt": ((out(said="doubt"),), True),
    "STOP, and a doubt after it": ((out(), out(9, said="doubt")), False),
    "STOP, and a doubt after it that comes first": ((out(9, said="doubt"), out()), False),
    "STOP, START, and then a doubt": ((out(), back(5), out(9, said="doubt")), True),
    "START at the moment of STOP, and then a doubt": ((back(), out(), out(9, said="doubt")), False),
}


@pytest.mark.parametrize(("said", "may"), LIFTED.values(), ids=LIFTED)
async def test_s66_nobody_lifts_what_the_owner_of_a_number_clearly_said(
    messengers: Bench, said: tuple[SmsOptedOutV1 | SmsOptedInV1, ...], may: bool
) -> None:
    """47 CFR 64.1200(a)(10): STOP always revokes, and only who said it takes it back. A person judges our reading."""
    tape = Tape()
    for number, word in enumerate(said):
        await messengers.apply(tape.record(word, str(number)))
    if may:
        await order(messengers, "/v1/blocks/lift", number_digest=DIGEST)
    else:
        with pytest.raises(Refusal, match="only_start_lifts"):
            await order(messengers, "/v1/blocks/lift", number_digest=DIGEST)

    assert await asked(messengers) == (set() if may else set(WANTED))


async def test_s66_stop_that_was_said_before_a_lift_and_is_heard_after_it_counts(messengers: Bench) -> None:
    """The person who lifted a doubt had not heard of it."""
    tape = Tape()
    await messengers.apply(tape.record(out(said="doubt"), "1"))
    messengers.clock.move_to(MOMENT + timedelta(minutes=5))
    await order(messengers, "/v1/blocks/lift", number_digest=DIGEST)
    assert await asked(messengers) == set()
    await messengers.apply(tape.record(out(30), "2"))

    assert await asked(messengers) == set(WANTED)
    with pytest.raises(Refusal, match="only_start_lifts"):
        await order(messengers, "/v1/blocks/lift", number_digest=DIGEST)


async def test_s69_nobody_lifts_what_the_provider_refuses_until_start(messengers: Bench) -> None:
    """Twilio answers 21610 until the number writes START: to lift it here would only fail there."""
    words = blocking.words(LISTED, "acme", NUMBER, MOMENT)
    async with messengers.database.transaction() as connection:
        await Store(connection).save_words(words, words)
    with pytest.raises(Refusal, match="only_start_lifts"):
        await order(messengers, "/v1/blocks/lift", number_digest=DIGEST)
    await messengers.apply(Tape().record(back(1), "1"))

    assert await asked(messengers) == set()


async def nothing(_tx: Store) -> None:
    """Prepare nothing else."""


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


@pytest.mark.parametrize("state", ["in_doubt", "parked"])
async def test_report_settles_what_is_in_doubt_and_what_is_parked(messengers: Bench, state: str) -> None:
    tape = Tape()
    await texted(messengers, tape, state)
    await messengers.apply(tape.record(report("sent"), "1"), tape.record(report("delivered"), "2"))

    assert await messengers.column(STATE) == ["sent accepted"]
    assert await messengers.column("SELECT provider_id FROM ledger") == [sid(1)]
    assert await messengers.outgoing() == ["duly.outreach.sent.v2"]
    await messengers.apply(tape.record(report("failed", "30003"), "3"))
    assert await messengers.column(STATE) == ["sent accepted"]
    assert (await messengers.column("SELECT reason FROM ledger_history ORDER BY id"))[-2:] == [
        "report_delivered",
        "report_failed",
    ]


@pytest.mark.parametrize("state", ["in_doubt", "parked", "posting", "due", "held"])
async def test_report_that_settles_a_text_as_sent_lets_its_policy_wait_for_an_answer_inside_the_hours(
    messengers: Bench, state: str
) -> None:
    """As one that was accepted directly: 20 minutes before 21:00 in Berlin, and 10 more from 08:00 there on."""
    tape = Tape()
    evening = MOMENT.replace(hour=19, minute=40)
    await messengers.apply(tape.record(person(zone="Europe/Berlin"), "v1"))
    await texted(messengers, tape, state)
    await messengers.outside.execute("UPDATE ledger SET plan = $1", WAITS_FOR_AN_ANSWER)
    messengers.clock.move_to(evening)
    await messengers.apply(tape.record(report("queued"), "1"), tape.record(report("delivered"), "2"))

    assert await messengers.column(STATE) == ["sent accepted"]
    assert await messengers.column("SELECT next_due_at FROM ledger") == [evening + timedelta(hours=11, minutes=30)]
    messengers.clock.move_to(evening + timedelta(hours=12))
    await messengers.timer(UNANSWERED)()
    assert await messengers.column("SELECT channel || ' ' || state || ' ' || reason FROM ledger") == [
        "mail due unanswered"
    ]


async def test_failure_reported_after_sent_gives_the_leg_up_once(messengers: Bench) -> None:
    tape = Tape()
    await texted(messengers, tape)
    await messengers.apply(tape.record(report("sent"), "1"))
    await messengers.apply(tape.record(report("undelivered", "30003"), "2"))
    await messengers.apply(tape.record(report("undelivered", "30003"), "a year later, under another id"))

    assert await messengers.column(STATE) == ["refused undelivered"]
    assert await messengers.outgoing() == ["duly.outreach.sent.v2", "duly.outreach.failed.v1"]


async def test_failure_reported_after_sent_turns_to_the_next_channel_where_there_is_one(messengers: Bench) -> None:
    tape = Tape()
    await texted(messengers, tape, "sent")
    await messengers.outside.execute("""UPDATE ledger SET plan = '[{"channel": "mail"}]'""")
    await messengers.apply(tape.record(report("undelivered", "30003"), "1"), tape.record(report("failed"), "2"))

    assert await messengers.column("SELECT channel || ' ' || state || ' ' || reason FROM ledger") == [
        "mail due undelivered"
    ]


async def test_s15_report_of_an_unknown_message_or_in_another_tenant_is_a_case_without_effect(
    messengers: Bench,
) -> None:
    tape = Tape()
    await texted(messengers, tape)
    await messengers.apply(
        tape.record(report("delivered", tenant="globex"), "1"), tape.record(report("failed", outreach=uuid4()), "2")
    )
    async with messengers.database.reading("globex") as connection:
        answer = await messengers.service.answers["/v1/reports"](connection, {"tenant": "globex"})

    assert await messengers.column(STATE) == ["in_doubt x"]
    assert [one["outreach_id"] for one in answer["odd"]] == [OUTREACH]
    assert await messengers.column("SELECT count(*) FROM reports WHERE NOT known") == [2]


async def test_report_over_texts_never_settles_a_mail(messengers: Bench) -> None:
    tape = Tape()
    await texted(messengers, tape)
    await messengers.outside.execute("UPDATE ledger SET channel = 'mail'")
    await messengers.apply(tape.record(report("delivered"), "1"))

    assert await messengers.column(STATE) == ["in_doubt x"]
