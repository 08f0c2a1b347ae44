"""How a doubt is settled by asking the provider, and what its word makes of the message."""

from datetime import timedelta
from typing import Any

import pytest

from messenger.channel import Accepted, InDoubt, NotAsked, NotThere, RefusedForGood, Unclear
from messenger.settling.asking import Asker, Asking
from tests.integration.given_channels import A_MINUTE, ELSEWHERE, MAIL, OUTREACH, STATE, UNANSWERED, ask, doubt
from tests.support import post
from tests.support.bench import Bench
from tests.support.post import Post, Provider, asker, noting
from tests.support.records import MOMENT
from tests.support.waiting import until

pytestmark = pytest.mark.connected

FOUND = {
    "accepted": (Accepted("D1/17.0"), "slack sent read_back", ["duly.outreach.sent.v2"]),
    "not there": (NotThere(), "slack due not_accepted", []),
    "refused since": (RefusedForGood("blocked", "30004"), "slack refused blocked", ["duly.outreach.failed.v1"]),
    "undeliverable": (
        RefusedForGood("unreachable", "30003", True),
        "sms due unreachable",
        ["duly.decisions.address-lost.v1"],
    ),
    "unclear": (Unclear("history_incomplete"), "slack in_doubt history_incomplete", []),
    "not to be asked": (NotAsked("ratelimited", "429"), "slack in_doubt ratelimited", []),
}


async def test_message_in_doubt_never_moves_on(channelled: Bench) -> None:
    """RELIABILITY 6.7: what may have been accepted is settled or parked first, however long it takes."""
    await ask(channelled)
    await doubt(channelled)
    channelled.clock.move_to(MOMENT + timedelta(days=2))
    for number in (ELSEWHERE, UNANSWERED):
        await channelled.timer(number)()

    assert await channelled.column(STATE) == ["slack in_doubt timeout"]


async def test_provider_is_not_asked_before_the_declared_bounds_are_over(channelled: Bench) -> None:
    """RELIABILITY 6.7: on the business clock."""
    await ask(channelled)
    provider = Provider()
    await noting(channelled.context(), Post(InDoubt("timeout")), "slack").step()
    channelled.clock.move_to(MOMENT + 15 * A_MINUTE - timedelta(seconds=1))
    await asker(channelled.context(), provider, "slack").step()
    assert provider.asked == []


async def test_provider_is_believed_at_its_second_word_where_the_clock_is_driven(channelled: Bench) -> None:
    """RELIABILITY 6.7: its clock is the wall's, and it may still take what a jump of ours has left long behind."""
    await ask(channelled)
    await doubt(channelled)
    provider = Provider(NotThere())
    loop = Asker(channelled.context(), Asking("slack", provider, post.ALWAYS, believed_after_s=1.0))
    await loop.step()
    await loop.step()

    assert await channelled.column(STATE) == ["slack in_doubt not_there_yet"]
    assert len(provider.asked) == 1
    provider.answer = Accepted("D1/17.0")

    async def asked_again() -> bool:
        await loop.step()
        return len(provider.asked) > 1

    await until(asked_again)
    assert await channelled.column(STATE) == ["slack sent read_back"]
    told = "SELECT recorded_at FROM ledger_history WHERE state = ANY($1) ORDER BY id"
    *_, early_at, sent_at = await channelled.column(told, ["in_doubt", "sent"])
    assert sent_at - early_at >= timedelta(seconds=1)


async def test_message_goes_again_when_its_provider_has_said_twice_that_it_is_not_there(channelled: Bench) -> None:
    """RELIABILITY 6.7: and from then on a new attempt has its own two words."""
    await ask(channelled)
    await doubt(channelled)
    loop = Asker(channelled.context(), Asking("slack", Provider(NotThere()), post.ALWAYS, believed_after_s=0.05))

    async def believed() -> bool:
        await loop.step()
        return await channelled.column(STATE) == ["slack due not_accepted"]

    await until(believed)
    assert await channelled.column("SELECT reason FROM ledger_history WHERE state = 'in_doubt' ORDER BY id") == [
        "timeout",
        "not_there_yet",
    ]


@pytest.mark.parametrize(("found", "end", "told"), FOUND.values(), ids=FOUND)
async def test_doubt_is_settled_by_the_providers_own_word_only(
    channelled: Bench, found: Any, end: str, told: list[str]
) -> None:
    """RELIABILITY 6.7, G-24."""
    await ask(channelled)
    await doubt(channelled)
    provider = Provider(found)
    await asker(channelled.context(), provider, "slack").step()

    assert await channelled.column(STATE) == [end]
    assert await channelled.outgoing() == told
    assert [(one.tenant_id, one.outreach_id, one.recipient) for one in provider.asked] == [("acme", OUTREACH, MAIL)]
    [posted_at] = await channelled.column("SELECT recorded_at FROM ledger_history WHERE state = 'posting'")
    assert abs(provider.asked[0].first_posted_at - posted_at) < timedelta(seconds=5)  # the wall clock, not the driven


async def test_message_that_was_read_back_goes_on_after_its_minutes_as_one_that_was_accepted_at_once(
    channelled: Bench,
) -> None:
    await ask(channelled)
    await doubt(channelled)
    await asker(channelled.context(), Provider(Accepted("D1/17.0")), "slack").step()
    assert await channelled.column("SELECT next_due_at FROM ledger") == [channelled.clock.now() + 30 * A_MINUTE]
    channelled.clock.move_to(channelled.clock.now() + 30 * A_MINUTE)
    await channelled.timer(UNANSWERED)()

    assert await channelled.column(STATE) == ["sms due unanswered"]


async def test_message_that_is_not_there_is_sent_again_at_once_and_searched_from_its_first_attempt(
    channelled: Bench,
) -> None:
    """A search begins with the first attempt, whichever of them was accepted."""
    await ask(channelled)
    await doubt(channelled)
    first = await channelled.column("SELECT first_posted_at FROM ledger")
    await asker(channelled.context(), Provider(NotThere()), "slack").step()
    box = Post(InDoubt("cut"))
    await noting(channelled.context(), box, "slack").step()

    assert len(box.letters) == 1
    assert await channelled.column(STATE) == ["slack in_doubt cut"]
    assert await channelled.column("SELECT first_posted_at FROM ledger") == first
