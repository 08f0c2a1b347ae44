"""Brakes on providers: one that fails is held for that tenant, probed once a minute, and released."""

from datetime import timedelta

import pytest

from messenger.channel import Accepted, Answer, RefusedForGood, RefusedForNow
from tests.integration.given_brakes import (
    A_MINUTE,
    A_SECOND,
    ONE_ERROR,
    REPORTS,
    STATE,
    ask,
    broken,
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


async def test_provider_that_fails_is_held_for_that_tenant_alone(messengers: Bench) -> None:
    """RELIABILITY 8: more than 20 errors among the last 100 answers; another tenant's account may work."""
    tape = Tape()
    loop = await broken(messengers, tape)
    assert await names(messengers) == [("provider:acme:mail", True)]
    await ask(messengers, tape, 2, "globex")
    messengers.clock.move_to(MOMENT + 59 * A_SECOND)
    await rounds(loop)

    assert await messengers.column(STATE) == ["due connect_failed"] * 21 + ["sent accepted"] * 2


async def test_twenty_errors_hold_nothing(messengers: Bench) -> None:
    await broken(messengers, Tape(), number=20)

    assert await names(messengers) == []


async def test_errors_that_good_answers_have_pushed_out_hold_nothing(messengers: Bench) -> None:
    tape = Tape()
    loop = await broken(messengers, tape, number=20)
    await ask(messengers, tape, 120)
    await rounds(loop)
    loop._channel.answer = ONE_ERROR  # type: ignore[attr-defined]
    await messengers.outside.execute("UPDATE ledger SET state = 'due', next_due_at = $1 WHERE attempt = 1", MOMENT)
    await messengers.outside.execute(
        "DELETE FROM ledger WHERE state = 'due' AND ctid NOT IN (SELECT ctid FROM ledger WHERE state = 'due' LIMIT 20)"
    )
    await rounds(loop)

    assert await names(messengers) == []


@pytest.mark.parametrize("reason", ["auth_failed", "scope_missing"])
async def test_provider_that_refuses_our_credentials_is_held_at_once(messengers: Bench, reason: str) -> None:
    await broken(messengers, Tape(), RefusedForNow(reason, scope="account"), 1)

    assert await names(messengers) == [("provider:acme:mail", True)]


@pytest.mark.parametrize(
    "answer",
    [
        RefusedForNow("rate_limited", "429", 1.0),
        RefusedForNow("recipient_refused"),
        RefusedForGood("gone", address=True),
    ],
)
async def test_limits_and_addresses_are_no_fault_of_the_provider(messengers: Bench, answer: Answer) -> None:
    await broken(messengers, Tape(), answer, 30)

    assert await names(messengers) == []


async def test_one_probe_a_minute_goes_to_a_held_provider_and_its_acceptance_releases(messengers: Bench) -> None:
    """RELIABILITY 8: one real message, over all replicas; the release is a decision of the probe's."""
    tape = Tape()
    loop = await broken(messengers, tape)
    other = limited(messengers, Post(ONE_ERROR))
    box: Post = loop._channel  # type: ignore[assignment]
    written = len(box.letters)
    messengers.clock.move_to(MOMENT + 2 * A_MINUTE)
    await rounds(other)  # holds what is due again
    await rounds(other)
    await rounds(other)
    probes = "SELECT count(*)::int FROM ledger_history WHERE reason = 'probe'"
    assert await messengers.column(probes) == [1]
    assert len(other._channel.letters) == 1  # type: ignore[attr-defined]
    messengers.clock.move_to(MOMENT + 3 * A_MINUTE)
    await rounds(loop)
    assert await messengers.column(probes) == [2]
    assert len(box.letters) == written + 1
    assert await names(messengers) == []
    decided = "SELECT released_by || ': ' || release_reason FROM sending_brakes"
    assert await messengers.column(decided) == ["probe: the provider accepted a message"]
    await due(messengers, "released")
    messengers.clock.move_to(MOMENT + 3 * A_MINUTE + 20 * A_SECOND)
    await rounds(loop)

    assert set(await messengers.column(STATE)) <= {"sent accepted", "due connect_failed"}
    assert len(box.letters) == written + 20


async def test_person_releases_a_provider_and_its_errors_are_forgotten(messengers: Bench) -> None:
    loop = await broken(messengers, Tape())
    assert await release(messengers, "provider:acme:mail")
    messengers.clock.move_to(MOMENT + A_MINUTE)
    await rounds(loop)

    assert await messengers.column(STATE) == ["sent accepted"] * 21


async def test_message_leaves_a_held_provider_only_when_its_policy_says_so(messengers: Bench) -> None:
    """Undelivered after 30 minutes; the one without such a policy stays."""
    await broken(messengers, Tape(), number=21)
    way = '[{"channel": "sms", "after_min": 30, "when": ["undelivered"]}]'
    first = "SELECT outreach_id FROM ledger ORDER BY outreach_id LIMIT 1"
    await messengers.outside.execute(f"UPDATE ledger SET plan = $1 WHERE outreach_id = ({first})", way)  # noqa: S608
    await messengers.outside.execute("UPDATE sending_brakes SET probed_at = $1", MOMENT + timedelta(days=1))
    for minutes in (2, 29, 30):
        messengers.clock.move_to(MOMENT + minutes * A_MINUTE)
        await rounds(limited(messengers, Post()))
        await due(messengers, "held")
        [channel] = await messengers.column("SELECT channel FROM ledger ORDER BY outreach_id LIMIT 1")
        assert channel == ("mail" if minutes < 30 else "sms")

    assert (await messengers.column(STATE))[1:] == ["held held_provider"] * 20


async def test_provider_that_fails_in_a_rehearsal_is_reported_and_not_held(messengers: Bench) -> None:
    await ask(messengers, Tape(), 30)
    box = Post(ONE_ERROR)
    await rounds(limited(messengers, box, REPORTS))
    box.answer = Accepted("relay-1")
    messengers.clock.move_to(MOMENT + A_MINUTE)
    await rounds(limited(messengers, box, REPORTS))

    assert await messengers.column(STATE) == ["sent accepted"] * 30
    assert await names(messengers) == [("provider:acme:mail", False)]
    assert await reported(messengers) == [("provider:acme:mail", 1, 30)]


async def test_provider_that_works_again_in_a_rehearsal_would_have_held_nothing_more(messengers: Bench) -> None:
    """All that came up to its first probe would have been held; a second fault is a second time."""
    tape, box = Tape(), Post(ONE_ERROR)
    loop = limited(messengers, box, REPORTS)
    await ask(messengers, tape, 30)
    await rounds(loop)
    box.answer = Accepted("relay-1")
    messengers.clock.move_to(MOMENT + A_MINUTE)
    await rounds(loop)
    await ask(messengers, tape, 40)
    messengers.clock.move_to(MOMENT + 2 * A_MINUTE)
    await rounds(loop)
    assert await reported(messengers) == [("provider:acme:mail", 1, 30)]
    assert await names(messengers) == []
    await ask(messengers, tape, 80)
    box.answer = ONE_ERROR
    await rounds(loop)
    messengers.clock.move_to(MOMENT + 3 * A_MINUTE)
    await rounds(loop)

    assert await reported(messengers) == [("provider:acme:mail", 2, 30 + 8 + 40)]  # it trips after 32 of the 40
    assert await messengers.column("SELECT count(*)::int FROM ledger WHERE state = 'held'") == [0]
