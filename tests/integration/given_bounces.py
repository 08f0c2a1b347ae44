"""Messages that bounce, and what tests of them look at."""

from typing import Any
from uuid import UUID

from duly_chassis import outbox
from messenger import answers
from messenger.channel import Accepted, Answer
from messenger.sender import Sender
from messenger.store import Store
from tests.support import post
from tests.support.bench import Bench
from tests.support.post import Post
from tests.support.records import Tape, person, requested
from tests.support.returned import PATH

OUTREACH = UUID(int=1)
STATE = "SELECT state || ' ' || reason || ' ' || code FROM ledger ORDER BY tenant_id, outreach_id"
STORY = "SELECT state || ' ' || reason || ' ' || code FROM ledger_history ORDER BY id DESC LIMIT 1"
FAILED = "duly.outreach.failed.v1"
SENT = "duly.outreach.sent.v1"


def sender(messengers: Bench, box: Post) -> Sender:
    """Return a sending loop whose letters have return addresses."""
    return post.sender(messengers.context(), box, path=PATH)


async def sent(messengers: Bench, answer: Answer | None = None, tape: Tape | None = None, **asked: Any) -> str:
    """Ask for a message and send it; give the address that it comes back to."""
    tape, box = tape or Tape(), Post(answer or Accepted("relay-1"))
    tenant = asked.get("tenant_id", "acme")
    await messengers.apply(
        tape.record(person(tenant_id=tenant), f"v-{tenant}"),
        tape.record(requested(OUTREACH, **asked), f"r-{tenant}"),
    )
    await sender(messengers, box).step()
    [letter] = box.letters
    return letter.return_path


async def order(messengers: Bench, act: Any, **said: str) -> Any:
    """Give an order as the HTTP route does."""
    async with messengers.database.transaction() as connection:
        tx = Store(connection)
        answer = await act(said, messengers.clock.now(), tx)
        await outbox.put(connection, "duly/messenger", tx.outgoing)
        return answer


async def listed(messengers: Bench, tenant: str = "acme") -> Any:
    """Ask for dead addresses and odd bounces."""
    async with messengers.database.reading(tenant) as connection:
        return await answers.bounces(connection, {"tenant": tenant})


async def counted(messengers: Bench, kind: str) -> float:
    return messengers.metrics.bounces.labels("messenger", kind)._value.get()  # type: ignore[no-any-return]


async def another(messengers: Bench, tape: Tape) -> Post:
    """Ask for a second message to the same person, and try to send it."""
    box = Post()
    await messengers.apply(tape.record(requested(UUID(int=2), "a2"), "r2"))
    await sender(messengers, box).step()
    return box


def forged(back: str) -> dict[str, str]:
    """Write return addresses that are not ours: the id or the attempt of another, cut, lengthened, of a stranger."""
    local, _, domain = back.partition("@")
    other = "b" if local[10] == "a" else "a"
    return {
        "another id": f"{local[:10]}{other}{local[11:]}@{domain}",
        "another signature": f"{local[:-1]}{'b' if local[-1] == 'a' else 'a'}@{domain}",
        "truncated": f"{local[:-1]}@{domain}",
        "lengthened": f"{local}a@{domain}",
        "none": f"bounce@{domain}",
        "nobody": f"postmaster@{domain}",
    }
