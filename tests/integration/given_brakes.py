"""Brakes to hold and release, and what tests of them look at."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from messenger import answers
from messenger.channel import Accepted, Answer, RefusedForNow
from messenger.limits.holding import Limits
from messenger.orders import brakes as brake_orders
from messenger.sender import Sender
from messenger.store import Store
from tests.support.bench import Bench
from tests.support.post import Notes, Post, rules
from tests.support.records import Tape, person, requested

STATE = "SELECT state || ' ' || reason FROM ledger ORDER BY tenant_id, outreach_id"
BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0"
STORY = "SELECT state || ' ' || reason || coalesce(' ' || who, '') FROM ledger_history ORDER BY id"
A_SECOND = timedelta(seconds=1)


async def ask(messengers: Bench, tape: Tape, number: int = 1, tenant: str = "acme") -> None:
    """Make a tenant's person known and ask for messages that may go now."""
    ids = [UUID(int=n + (1_000_000 if tenant == "acme" else 2_000_000)) for n in range(1, number + 1)]
    events = [
        tape.record(requested(one, f"a{n}", tenant_id=tenant), f"{tenant}-r{n}") for n, one in enumerate(ids, start=1)
    ]
    await messengers.apply(tape.record(person(tenant_id=tenant), f"{tenant}-v1"), *events)


async def hold(messengers: Bench, **scope: Any) -> Any:
    """Hold as a person does."""
    order = {"by": "Ada", "reason": "wrong template", **(scope or {"tenant": "acme"})}
    async with messengers.database.transaction() as connection:
        return await brake_orders.hold(order, messengers.clock.now(), Store(connection))


async def release(messengers: Bench, name: str = "kill-switch:acme") -> bool:
    """Release as a person does."""
    async with messengers.database.transaction() as connection:
        return await brake_orders.release(name, "Grace", "mended", messengers.clock.now(), Store(connection))


async def listed(messengers: Bench) -> list[dict[str, Any]]:
    """Return what `duly brake list` shows."""
    async with messengers.database.transaction() as connection:
        return await brake_orders.held(Store(connection))


async def due(messengers: Bench, name: str) -> None:
    """Take the steps of one of the service's due loops until nothing is left to do now."""
    number = next(place for place, one in enumerate(messengers.service.timers) if one.name == name)
    step = messengers.timer(number)
    while await step():
        pass


async def rounds(loop: Sender) -> int:
    """Take a loop's steps until it is idle; return how many."""
    number = 1
    while await loop.step():
        number += 1
    return number


LIMITS = Limits(rate_floor=50)
REPORTS = Limits(holds=False)
A_MINUTE = timedelta(minutes=1)
A_WEEK = timedelta(days=7)
ONE_ERROR = RefusedForNow("connect_failed")


def limited(messengers: Bench, box: Post, limits: Limits = LIMITS, name: str = "mail") -> Sender:
    """Return a sending loop with these limits."""
    return Sender(messengers.context(), box, Notes(), replace(rules(), limits=limits), name)


async def broken(messengers: Bench, tape: Tape, answer: Answer = ONE_ERROR, number: int = 21) -> Sender:
    """Let so many messages of acme get this answer, then return the loop; its next answers are accepted."""
    await ask(messengers, tape, number)
    box = Post(answer)
    loop = limited(messengers, box)
    await rounds(loop)
    box.answer = Accepted("relay-1")
    return loop


async def names(messengers: Bench) -> list[tuple[str, bool]]:
    """Return which brakes are listed, and whether they hold."""
    return [(one["name"], one["holds"]) for one in await listed(messengers)]


async def reported(messengers: Bench, tenant: str = "acme") -> list[tuple[str, int, int]]:
    """Return what the summary says that brakes would have held: name, times, messages."""
    async with messengers.database.reading(tenant) as connection:
        counted = await answers.summary(connection, {"tenant": tenant})
    return [(one["name"], one["times"], one["held"]) for one in counted["reported"]]
