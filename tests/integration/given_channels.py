"""Messages over several channels, and what tests of them look at."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from duly_contracts.people import PersonalData
from messenger.channel import InDoubt
from tests.support.bench import Bench
from tests.support.post import Post, noting
from tests.support.records import MOMENT, Tape, person, requested

OUTREACH = UUID(int=1)
STATE = "SELECT channel || ' ' || state || ' ' || reason FROM ledger ORDER BY outreach_id"
STORY = "SELECT channel || ' ' || state || ' ' || reason FROM ledger_history ORDER BY id"
KEPT = "SELECT address FROM ledger"
WAY = "[slack, {channel: sms, after_min: 30, when: [undelivered, unanswered]}, mail]"
SMS, MAIL = "+447400000001", "ada@example.org"
ELSEWHERE, UNANSWERED = 1, 2  # messenger's timers, after `park`
A_MINUTE = timedelta(minutes=1)


def policy(folder: Path, way: str = WAY, version: int = 1) -> Path:
    """Write a channel policy."""
    path = folder / f"channels-{uuid4()}.yaml"
    path.write_text(f"name: channels\nversion: {version}\ndefault: {way}\n", encoding="utf-8")
    return path


def ada(version: int = 1, mail: str | None = MAIL, mobile: str | None = SMS, **changes: Any) -> Any:
    """Return the record of a person with both addresses."""
    return person(version, personal=PersonalData(name="Ada", mail=mail, mobile=mobile), **changes)


async def ask(channelled: Bench, record: Any = None, **changes: Any) -> Tape:
    """Make the person known and ask for one message."""
    tape = Tape()
    await channelled.apply(tape.record(record or ada(), "v1"), tape.record(requested(OUTREACH, **changes), "r1"))
    return tape


async def doubt(channelled: Bench, name: str = "slack", answer: Any = None) -> Post:
    """Bring the message into doubt on a channel, and let its wait pass."""
    box = Post(answer or InDoubt("timeout"))
    await noting(channelled.context(), box, name).step()
    channelled.clock.move_to(MOMENT + 15 * A_MINUTE)
    return box
