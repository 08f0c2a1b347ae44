"""What people order about blocked numbers: lift one, by name and with a reason. And the keys they are compared with."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from duly_chassis.numbers import key_mark
from duly_chassis.web import Refusal, needed
from messenger.blocks.block_list import FOR_START_ALONE, LIFTED, Word
from messenger.store import Store

DIGEST = re.compile(r"[0-9a-f]{64}")


def prepares(keys: Sequence[str], also: Callable[[Store], Awaitable[None]]) -> Callable[[Store], Awaitable[None]]:
    """Return what is done at start: note the keys, so that a block made with another one is noticed; and the rest."""

    async def prepare(tx: Store) -> None:
        await also(tx)
        await tx.save_keys([key_mark(key) for key in keys])

    return prepare


async def lift(order: Mapping[str, Any], now: datetime, tx: Store) -> dict[str, str]:
    """Take back our reading of a text, on a named person's word; texts that waited for the number look again at once.

    What its owner clearly said is nobody's to lift: 409. The lift dates from the word that it is about, so that a
    STOP which is still on its way counts.
    """
    tenant, digest, by, why = (needed(order, name) for name in ("tenant", "number_digest", "by", "reason"))
    if not DIGEST.fullmatch(digest):
        raise Refusal(HTTPStatus.NOT_FOUND, "not_blocked")
    await tx.lock_numbers([digest])
    found = await tx.lock_block(tenant, digest)
    if found is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "not_blocked")
    if await tx.stopped_by_owner(tenant, digest, FOR_START_ALONE):
        raise Refusal(HTTPStatus.CONFLICT, "only_start_lifts")
    about, mark = found["since"], found["key_mark"]
    lifted = Word(tenant, digest, mark, blocked=False, at=about, word_class=LIFTED, who=by, why=why[:500])
    await tx.save_words([lifted], [replace(lifted, at=max(now, about))])
    await tx.wake_blocked([tenant], now)
    return {"number_digest": digest, "state": "lifted"}
