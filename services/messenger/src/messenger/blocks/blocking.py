"""Where the sending loop asks the block list: first when texts are claimed, again at the gate, and after a refusal."""

from collections.abc import Sequence
from datetime import datetime

from duly_chassis.database import Connection
from duly_chassis.numbers import key_mark, number_digest, senders_of
from messenger.blocks import block_list
from messenger.blocks import rows as blocks
from messenger.blocks.block_list import BlockList, Message, Word
from messenger.channel import Answer, Letter, RefusedForGood
from messenger.domain import SMS, Change, Outreach
from messenger.planning import choosing
from messenger.sending.claims import Claimed


async def asked(connection: Connection, listed: BlockList, channel: str, rows: Sequence[Claimed]) -> set[Message]:
    """Return the texts among these rows whose number is blocked; other channels have no numbers."""
    if channel != SMS:
        return set()
    found = {
        (row.tenant_id, row.outreach_id): listed.of(row.tenant_id, contact.mobile)
        for row, contact, _ in rows
        if contact is not None and contact.mobile is not None
    }
    return await blocks.blocked(connection, found)


async def shut(
    connection: Connection, listed: BlockList, channel: str, rows: Sequence[Claimed], letters: Sequence[Letter]
) -> set[Message]:
    """Hold the locks of the numbers that these letters go to, and return those that must not go.

    The numbers are the letters' own: the record may have got another one since they were written.
    """
    if channel != SMS:
        return set()
    goes_to = {letter.outreach_id: letter.recipient for letter in letters}
    tenants = {(row.tenant_id, row.outreach_id) for row, _, _ in rows}
    found = {(tenant, one): listed.of(tenant, goes_to[one]) for tenant, one in tenants if one in goes_to}
    return await blocks.shut(connection, found)


def instead(change: Change, blocked: set[Message], now: datetime) -> Change:
    """Turn what would go to a blocked number into the move to the next channel, or into a wait."""
    row = change.outreach
    if (row.tenant_id, row.outreach_id) not in blocked or change.state == "suppressed":
        return change
    return choosing.moved(block_list.instead(row), now)


def refused(
    listed: BlockList, posted: Sequence[tuple[Outreach, Letter]], answers: Sequence[Answer], now: datetime
) -> list[Word]:
    """Return the numbers whose owners said STOP to the provider, as it answered (S-69)."""
    found: list[Word] = []
    for (row, letter), answer in zip(posted, answers, strict=True):
        if isinstance(answer, RefusedForGood) and answer.code in block_list.STOPPED_CODES:
            found += words(listed, row.tenant_id, letter.recipient, now)
    return block_list.last(found)


async def keep(connection: Connection, stopped: Sequence[Word]) -> None:
    """Write these words down, before any row is locked."""
    await blocks.Blocks(connection).save_words(stopped, stopped)


def words(listed: BlockList, tenant_id: str, number: str, at: datetime) -> list[Word]:
    """Say of a number that its owner said STOP, towards each sender of the tenant: the provider does not say which."""
    if not listed.keys:
        return []
    key = listed.keys[0]
    return [
        Word(
            tenant_id,
            number_digest(key, tenant_id, number, sender),
            key_mark(key),
            blocked=True,
            at=at,
            word_class=block_list.PROVIDER,
        )
        for sender in senders_of(listed.senders, tenant_id)
    ]
