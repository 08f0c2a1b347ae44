"""Dead letters over HTTP: groups, what may be seen of one, and a person's word to replay or discard them.

With a tenant only that tenant's letters exist, and another's are not found; without one it is the operator's view.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from duly_chassis import dead_letters, letters, redaction, web
from duly_chassis.database import EVERYBODY, Database
from duly_chassis.dead_letters import Chosen
from duly_chassis.letters import Stored
from duly_chassis.logs import log
from duly_chassis.replays import HeldByBrake, Replays

BY_CHARACTERS_MAX = 100
REASON_CHARACTERS_MAX = 500
CAUSE = re.compile(r"g[0-9a-f]{11}")
TENANT = re.compile(r"[a-z0-9-]{1,40}")
ID_MAX = 2**63 - 1
LOG = log("letters")


class LetterRoutes:
    """The paths under /v1/dead-letters of one service."""

    def __init__(self, service: str, database: Database, replays: Replays, committed: Callable[[], None]) -> None:
        self._service = service
        self._database = database
        self._replays = replays
        self._committed = committed

    async def look(self, scope: web.Scope, _receive: web.Receive) -> object:
        """Answer with the groups, or with the letters of one `group` or `id`, redacted."""
        found = web.query(scope)
        if "group" not in found and "id" not in found:
            async with self._database.letters(tenant(found) or EVERYBODY) as connection:
                return {"groups": await letters.groups(connection, settled=found.get("settled") == "true")}
        chosen = choice(found)
        async with self._database.letters(chosen.tenant_id or EVERYBODY) as connection:
            known, still_open = await letters.count(connection, chosen)
            rows = await letters.shown(connection, chosen)
        if not known:
            raise web.Refusal(HTTPStatus.NOT_FOUND, "no_such_dead_letter")
        LOG.info("dead_letters_shown", service=self._service, number=len(rows))
        return {"known": known, "open": still_open, "letters": [told(row) for row in rows]}

    async def replay(self, _scope: web.Scope, receive: web.Receive) -> object:
        """Replay the next portion of one group, or one letter; nothing that is settled changes."""
        order = await web.body(receive)
        chosen, by, after = choice(order), words(order, "by", BY_CHARACTERS_MAX), whole(order.get("after", 0))
        await self._open(chosen)
        try:
            outcome = await self._replays.replay(chosen, by, after, dry_run=order.get("dry_run") is True)
        except HeldByBrake:
            raise web.Refusal(HTTPStatus.CONFLICT, "held_by_a_brake") from None
        self._committed()
        return asdict(outcome)

    async def discard(self, _scope: web.Scope, receive: web.Receive) -> object:
        """Give letters up; their rows stay, with who and why."""
        order = await web.body(receive)
        chosen, by = choice(order), words(order, "by", BY_CHARACTERS_MAX)
        reason = words(order, "reason", REASON_CHARACTERS_MAX)
        still_open = await self._open(chosen)
        if order.get("dry_run") is True:
            return {"discarded": still_open}
        async with self._database.transaction() as connection:
            discarded = await dead_letters.discard(connection, chosen, by, reason)
        LOG.info("dead_letters_discarded", service=self._service, number=discarded)
        return {"discarded": discarded}

    async def _open(self, chosen: Chosen) -> int:
        """Return how many of these are open; raises Refusal 404 when there are none at all, or another tenant's."""
        async with self._database.letters(chosen.tenant_id or EVERYBODY) as connection:
            known, still_open = await letters.count(connection, chosen)
        if not known:
            raise web.Refusal(HTTPStatus.NOT_FOUND, "no_such_dead_letter")
        return still_open


def choice(found: Mapping[str, Any]) -> Chosen:
    """Read which letters are meant: a `group` or an `id`, not both; raises Refusal 400."""
    group, number = found.get("group"), found.get("id")
    if (group is None) == (number is None):
        raise web.Refusal(HTTPStatus.BAD_REQUEST, "needs_group_or_id")
    if number is not None:
        return Chosen(letter_id=whole(number), tenant_id=tenant(found))
    if not isinstance(group, str) or CAUSE.fullmatch(group) is None:
        raise web.Refusal(HTTPStatus.NOT_FOUND, "no_such_dead_letter")
    return Chosen(cause=group, tenant_id=tenant(found))


def tenant(found: Mapping[str, Any]) -> str | None:
    """Read the tenant, or None for an operator; raises Refusal 400 for what can be no tenant's name."""
    if "tenant" not in found:
        return None
    name = web.needed(found, "tenant")
    if TENANT.fullmatch(name) is None:
        raise web.Refusal(HTTPStatus.BAD_REQUEST, "needs_tenant")
    return name


def whole(value: object) -> int:
    """Read a number of a letter; raises Refusal 400."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= ID_MAX:
        raise web.Refusal(HTTPStatus.BAD_REQUEST, "needs_whole_number")
    return value


def words(order: Mapping[str, Any], name: str, characters_max: int) -> str:
    """Read a text that is kept with the decision; raises Refusal 400."""
    text = web.needed(order, name).strip()
    if not text or len(text) > characters_max or not text.isprintable():
        raise web.Refusal(HTTPStatus.BAD_REQUEST, f"needs_{name}")
    return text


def told(row: Stored) -> dict[str, Any]:
    """Return what may be seen of a letter; never its bytes."""
    record = row.record
    return {
        "id": row.id,
        "group": row.cause,
        "tenant": row.tenant_id,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "epoch": row.epoch,
        "reason": row.reason,
        "fingerprint": row.fingerprint,
        "received_at": row.received_at,
        "state": row.state,
        "replay_count": row.replay_count,
        "settled_at": row.settled_at,
        "settled_by": row.settled_by,
        "settled_reason": row.settled_reason,
        **redaction.seen(record, row.reason),
    }
