"""Messages by mail on their way, parked and in doubt, and what tests of them look at."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from duly_chassis import outbox
from messenger.channel import InDoubt
from messenger.sending.leases import Leases
from messenger.store import Store
from tests.support import post
from tests.support.bench import Bench
from tests.support.post import Post, sender
from tests.support.records import MOMENT, Tape, person, requested

OUTREACH = UUID(int=1)
STATE = "SELECT state || ' ' || reason FROM ledger ORDER BY outreach_id"


async def ask(messengers: Bench, tape: Tape, number: int = 1) -> None:
    """Make the person known and ask for messages that may go now."""
    events = [tape.record(requested(UUID(int=n), f"a{n}"), f"r{n}") for n in range(1, number + 1)]
    await messengers.apply(tape.record(person(), "v1"), *events)


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


async def order(messengers: Bench, word: str, **said: str) -> Any:
    """Give an order about a parked message as the HTTP route does."""
    act = next(one.act for one in messengers.service.acts if one.path == f"/v1/parked/{word}")
    async with messengers.database.transaction() as connection:
        tx = Store(connection)
        answer = await act({"outreach_id": str(OUTREACH), "by": "ada", **said}, messengers.clock.now(), tx)
        await outbox.put(connection, "duly/messenger", tx.outgoing)
        return answer


async def lapse(messengers: Bench, *tokens: UUID) -> None:
    """Let the leases of all that is on its way run out, as after a kill, and let another process notice."""
    await messengers.outside.execute("UPDATE ledger SET lease_until = clock_timestamp() - interval '1 ms'")
    await Leases(messengers.context(), lambda: list(tokens), post.rules()).step()
