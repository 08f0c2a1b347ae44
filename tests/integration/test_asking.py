"""Asking a provider about a doubt: how often, by whom, for how long, and what comes in between."""

import asyncio
from datetime import timedelta

import pytest

from messenger import answers
from messenger.channel import Accepted, InDoubt, NotAsked, NotThere, Unclear
from messenger.sending.leases import Leases
from messenger.settling import asking
from tests.integration.given_channels import A_MINUTE, ELSEWHERE, KEPT, MAIL, STATE, UNANSWERED, ada, ask, doubt
from tests.integration.given_messages import order
from tests.support import post
from tests.support.bench import Bench
from tests.support.post import Post, Provider, asker, noting, sender
from tests.support.records import DUE, MOMENT
from tests.support.waiting import until

pytestmark = pytest.mark.connected


async def test_unclear_answers_are_asked_for_again_with_growing_waits_and_then_parked_with_their_evidence(
    channelled: Bench,
) -> None:
    """RELIABILITY 6.7: five checks; rather late than twice."""
    await ask(channelled)
    await doubt(channelled)
    loop, waits = asker(channelled.context(), Provider(Unclear("too_many_pages", "x")), "slack"), []
    for _ in range(4):
        await loop.step()
        [due_at] = await channelled.column("SELECT next_due_at FROM ledger")
        waits.append((due_at - channelled.clock.now()) / A_MINUTE)
        channelled.clock.move_to(due_at)
    assert waits == [1, 5, 15, 60]
    assert await channelled.column(STATE) == ["slack in_doubt too_many_pages"]
    await loop.step()

    assert await channelled.column(STATE) == ["slack parked too_many_pages"]
    assert await channelled.outgoing() == ["duly.outreach.failed.v1"]
    async with channelled.database.reading("acme") as connection:
        [shown] = (await answers.parked(connection, {"tenant": "acme"}))["parked"]
    assert (shown["channel"], shown["address"]) == ("slack", MAIL)
    assert [one["state"] for one in shown["evidence"]] == ["posting", *["in_doubt"] * 5, "parked"]
    assert shown["evidence"][1]["reason"] == "timeout"


async def test_provider_that_cannot_be_asked_is_asked_again_for_as_long_as_the_message_is_useful(
    channelled: Bench,
) -> None:
    """An outage of the provider is no answer: it uses up no check, and its Retry-After is obeyed."""
    await ask(channelled)
    await doubt(channelled)
    provider = Provider(NotAsked("unreachable"))
    loop = asker(channelled.context(), provider, "slack")
    for _ in range(12):
        await loop.step()
        [due_at] = await channelled.column("SELECT next_due_at FROM ledger")
        channelled.clock.move_to(due_at)
    assert await channelled.column(STATE) == ["slack in_doubt unreachable"]
    assert await channelled.column("SELECT checks FROM ledger") == [0]

    provider.answer = NotAsked("ratelimited", "429", after_s=7_200)
    await loop.step()
    assert await channelled.column("SELECT next_due_at FROM ledger") == [channelled.clock.now() + timedelta(hours=2)]

    channelled.clock.move_to(DUE)
    await loop.step()
    assert await channelled.column(STATE) == ["slack parked ratelimited"]


async def test_two_replicas_never_ask_for_the_same_message(channelled: Bench) -> None:
    await ask(channelled)
    await doubt(channelled)
    one, other = Provider(Accepted("x"), open=asyncio.Event()), Provider()
    step = asyncio.create_task(asker(channelled.context(), one, "slack").step())
    await one.reached.wait()
    await asker(channelled.context(), other, "slack").step()
    one.open.set()
    await step

    assert (len(one.asked), other.asked) == (1, [])
    assert await channelled.column(STATE) == ["slack sent read_back"]


async def test_crash_while_asking_changes_nothing_and_the_next_replica_asks(channelled: Bench) -> None:
    """The lease lapses by the machine clock; until then nobody else asks."""
    await ask(channelled)
    await doubt(channelled)
    dying = Provider(Accepted("x"), open=asyncio.Event())
    step = asyncio.create_task(asker(channelled.context(), dying, "slack").step())
    await dying.reached.wait()
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    assert await channelled.column(STATE) == ["slack in_doubt timeout"]

    await channelled.outside.execute("UPDATE ledger SET lease_until = clock_timestamp() - interval '1 ms'")
    await asker(channelled.context(), Provider(Accepted("x")), "slack").step()
    assert await channelled.column(STATE) == ["slack sent read_back"]


async def test_lease_is_held_for_as_long_as_the_provider_is_waited_for(
    channelled: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RELIABILITY 6.7: the lease is short, and renewed while its owner lives."""
    monkeypatch.setattr(asking, "RENEW_EVERY_S", 0.02)
    await ask(channelled)
    await doubt(channelled)
    slow = Provider(Accepted("x"), open=asyncio.Event())
    step = asyncio.create_task(asker(channelled.context(), slow, "slack").step())
    await slow.reached.wait()
    [leased] = await channelled.column("SELECT lease_until FROM ledger")

    async def renewed() -> bool:
        return bool(await channelled.column("SELECT 1 FROM ledger WHERE lease_until > $1", leased))

    await until(renewed)
    slow.open.set()
    await step
    assert await channelled.column(STATE) == ["slack sent read_back"]


async def test_answer_of_a_provider_that_comes_after_a_persons_or_the_senders_changes_nothing(
    channelled: Bench,
) -> None:
    """I2: an answer is better than a doubt, and a doubt's answer never undoes it."""
    await ask(channelled)
    box = Post(Accepted("late"), open=asyncio.Event(), writable=asyncio.Event())
    loop = noting(channelled.context(), box, "slack")
    step = asyncio.create_task(loop.step())
    box.open.set()
    await box.inside.wait()  # its gate is held: the body is being written
    box.writable.set()
    await step
    await channelled.outside.execute("UPDATE ledger SET state = 'in_doubt', next_due_at = $1", MOMENT)
    provider = Provider(NotThere(), open=asyncio.Event())
    asking = asyncio.create_task(asker(channelled.context(), provider, "slack").step())
    await provider.reached.wait()
    await channelled.outside.execute("UPDATE ledger SET state = 'sent', reason = 'accepted'")
    provider.open.set()
    await asking

    assert await channelled.column(STATE) == ["slack sent accepted"]


async def test_adapter_that_breaks_while_asking_leaves_the_doubt(channelled: Bench) -> None:
    await ask(channelled)
    await doubt(channelled)
    await asker(channelled.context(), Provider(error=ValueError("ada@example.org")), "slack").step()

    assert await channelled.column(STATE) == ["slack in_doubt ask_failed"]
    assert await channelled.column("SELECT checks FROM ledger") == [0]


async def test_address_is_kept_only_while_nobody_knows_and_is_the_one_it_went_to(channelled: Bench) -> None:
    """A record that changes meanwhile must not fool the search."""
    tape = await ask(channelled)
    assert await channelled.column(KEPT) == [None]
    await doubt(channelled)
    await channelled.apply(tape.record(ada(2, mail="ada.new@example.org"), "v2"))
    assert await channelled.column(KEPT) == [MAIL]
    provider = Provider(Accepted("x"))
    await asker(channelled.context(), provider, "slack").step()

    assert provider.asked[0].recipient == MAIL
    assert await channelled.column(KEPT) == [None]


async def test_sender_that_is_lost_leaves_a_doubt_that_waits_for_its_own_channels_bounds(channelled: Bench) -> None:
    await ask(channelled)
    box = Post(open=asyncio.Event())
    step = asyncio.create_task(noting(channelled.context(), box, "slack").step())
    await box.reached.wait()
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    await channelled.outside.execute("UPDATE ledger SET lease_until = clock_timestamp() - interval '1 ms'")
    waits = {"slack": timedelta(seconds=45)}
    await Leases(channelled.context(), list, post.rules(), waits).step()

    assert await channelled.column(STATE) == ["slack in_doubt sender_lost"]
    assert await channelled.column("SELECT next_due_at FROM ledger") == [MOMENT + timedelta(seconds=45)]


@pytest.mark.parametrize("verdict", ["sent", "not_sent"])
async def test_person_may_close_a_parked_chat_message_or_have_it_sent_again(channelled: Bench, verdict: str) -> None:
    """RELIABILITY 6.7: on each channel both choices, and each is tested again before it goes."""
    await ask(channelled)
    await doubt(channelled)
    await channelled.outside.execute("UPDATE ledger SET state = 'parked', next_due_at = NULL")
    await order(channelled, "settle", tenant="acme", **{"as": verdict})
    state = {"sent": "sent", "not_sent": "suppressed"}[verdict]
    assert await channelled.column(STATE) == [f"slack {state} settled_as_{verdict}_by_person"]

    await channelled.outside.execute("UPDATE ledger SET state = 'parked', next_due_at = NULL")
    await order(channelled, "send", tenant="acme")
    box = Post(Accepted("again"))
    await noting(channelled.context(), box, "slack").step()
    assert await channelled.column(STATE) == ["slack sent accepted"]


async def test_message_that_a_person_says_was_sent_goes_on_unless_it_is_answered(channelled: Bench) -> None:
    """As after an acceptance: the policy's minutes begin with the person's word."""
    await ask(channelled)
    await doubt(channelled)
    await channelled.outside.execute("UPDATE ledger SET state = 'parked', next_due_at = NULL")
    await order(channelled, "settle", tenant="acme", **{"as": "sent"})
    await channelled.timer(UNANSWERED)()
    assert await channelled.column(STATE) == ["slack sent settled_as_sent_by_person"]
    channelled.clock.move_to(channelled.clock.now() + 30 * A_MINUTE)
    await channelled.timer(UNANSWERED)()

    assert await channelled.column(STATE) == ["sms due unanswered"]


async def test_mail_in_doubt_is_parked_after_its_wait_as_before(channelled: Bench) -> None:
    """A relay cannot be asked."""
    await ask(channelled)
    for _ in range(2):
        await channelled.timer(ELSEWHERE)()
    await sender(channelled.context(), Post(InDoubt("cut_after_body"))).step()
    channelled.clock.move_to(MOMENT + 15 * A_MINUTE)
    await channelled.timer()()

    assert await channelled.column(STATE) == ["mail parked cut_after_body"]
