"""Who may take a block back, and which nobody may (decision 0029)."""

from datetime import timedelta

import pytest

from duly_chassis.web import Refusal
from duly_contracts.signals import SmsOptedInV1, SmsOptedOutV1
from messenger.blocks import blocking
from messenger.store import Store
from tests.integration.given_signals import DIGEST, LISTED, WANTED, asked, back, order, out, texted
from tests.support.bench import Bench
from tests.support.callbacks import NUMBER
from tests.support.records import MOMENT, Tape

pytestmark = pytest.mark.connected

LIFTED = {
    "STOP": ((out(),), False),
    "a wish in other words": ((out(said="wish"),), True),
    "a doubt": ((out(said="doubt"),), True),
    "STOP, and a doubt after it": ((out(), out(9, said="doubt")), False),
    "STOP, and a doubt after it that comes first": ((out(9, said="doubt"), out()), False),
    "STOP, START, and then a doubt": ((out(), back(5), out(9, said="doubt")), True),
    "START at the moment of STOP, and then a doubt": ((back(), out(), out(9, said="doubt")), False),
}


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
