"""Messages in doubt that wait for a person: shown to their tenant, sent again, or closed."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from duly_chassis.web import Refusal
from messenger import answers
from messenger.channel import Accepted
from tests.integration.given_messages import OUTREACH, STATE, ask, lapse, order, parked
from tests.support.bench import Bench
from tests.support.post import Post, sender
from tests.support.records import MOMENT, Tape

pytestmark = pytest.mark.connected


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


async def test_person_may_have_a_parked_message_sent_again(messengers: Bench) -> None:
    """RELIABILITY 6.7: everything is tested again before it goes, and name and time stay."""
    box = await parked(messengers)
    box.answer = Accepted("relay-2")
    assert (await order(messengers, "send", tenant="acme"))["state"] == "due"
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
    await order(messengers, "settle", tenant="acme", **{"as": verdict})

    assert await messengers.column(STATE) == [end]
    assert (await messengers.outgoing())[-1] == told


@pytest.mark.parametrize("word", ["send", "settle"])
@pytest.mark.parametrize("said", [{"tenant": "bolt"}, {"tenant": "acme", "outreach_id": "no id"}])
async def test_order_about_anothers_message_is_as_unknown_as_none(messengers: Bench, word: str, said: Any) -> None:
    """K-10; SECURITY 10: 404, never 403."""
    await parked(messengers)
    with pytest.raises(Refusal) as refused:
        await order(messengers, word, **{"as": "sent", **said})

    assert (refused.value.status, refused.value.word) == (404, "not_parked")
    assert await messengers.column(STATE) == ["parked cut_after_body"]


async def test_order_about_a_message_that_is_not_parked_is_refused(messengers: Bench) -> None:
    """I2: nobody can have a sent mail sent twice by a late click."""
    await ask(messengers, Tape())
    await sender(messengers.context(), Post()).step()
    with pytest.raises(Refusal, match="not_parked"):
        await order(messengers, "send", tenant="acme")


async def test_answer_that_comes_after_a_persons_decision_changes_nothing(messengers: Bench) -> None:
    """I2: the lease lapsed, a person settled it, and then the relay's answer arrives."""
    box = Post(open=asyncio.Event())
    await ask(messengers, Tape())
    step = asyncio.create_task(sender(messengers.context(), box).step())
    await box.reached.wait()
    await lapse(messengers)
    messengers.clock.move_to(MOMENT + timedelta(minutes=15))
    await messengers.timer()()
    await order(messengers, "settle", tenant="acme", **{"as": "not_sent"})
    box.open.set()
    await step

    assert box.letters == []  # the gate gives nothing to whose lease is gone
    assert await messengers.column(STATE) == ["suppressed settled_as_not_sent_by_person"]
