"""Texts, reports and blocks, and what tests of them look at."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from duly_chassis import outbox
from duly_chassis.numbers import key_mark, number_digest
from duly_contracts.people import PersonalData
from duly_contracts.signals import DeliveryReportedV1, SmsOptedInV1, SmsOptedOutV1
from messenger.blocks import rows as blocks
from messenger.blocks.block_list import BlockList
from messenger.channel import Letter
from messenger.domain import CHANNELS, Contact, Outreach
from messenger.sender import Sender
from messenger.store import Store
from tests.support.bench import Bench
from tests.support.callbacks import KEY, NUMBER, SENDER, sid
from tests.support.post import ALWAYS, Post, rules
from tests.support.records import MOMENT, Tape, person, requested

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


async def nothing(_tx: Store) -> None:
    """Prepare nothing else."""
