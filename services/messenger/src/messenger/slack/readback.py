"""Asking Slack what it took: the history of the place, from a minute before the first attempt and with no later end.

A message is found by the id in its metadata, or in the name of its first block where metadata does not come back.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from messenger.channel import Accepted, Found, NotAsked, NotThere, RefusedForGood, Sought, Unclear
from messenger.http.gate import reason_of
from messenger.slack.answers import TIME_STAMP, UNREADABLE, Reply, provider_id, unposted
from messenger.slack.client import SlackClient, replied
from messenger.slack.people import Nowhere, Places

EVENT_TYPE = "duly_outreach"
BLOCK = "duly-"
TOO_LONG = "answer_too_long"
BEFORE = timedelta(seconds=60)
PAGE, PAGES_MAX = 15, 20  # Slack gives 15 to every app
AT_ONCE_MAX = 16
ASKING_S_MAX = 20.0  # for one; a batch of 32 is two rounds, within what its loop waits for


class History:
    """Reads back; asking changes nothing in Slack."""

    def __init__(self, client: SlackClient, places: Places) -> None:
        self._client = client
        self._places = places
        self._free = asyncio.Semaphore(AT_ONCE_MAX)

    async def find(self, sought: Sequence[Sought]) -> list[Found]:
        """Return what Slack knows of each, in their order; raises nothing but cancellation."""
        return list(await asyncio.gather(*(self._one(one) for one in sought)))

    async def _one(self, sought: Sought) -> Found:
        try:
            async with self._free, asyncio.timeout(ASKING_S_MAX):
                place = await self._places.of(sought.tenant_id, sought.recipient)
                if place.startswith("#"):
                    return Unclear("channel_by_name")  # history is asked by id, and only the lost answer named it
                return await self._search(place, sought)
        except Nowhere as error:
            return _unasked(error.answer)
        except Exception as error:  # noqa: BLE001 - whatever the client raises, nothing was learnt and nothing changed
            reason = reason_of(error)
            return Unclear(reason) if reason == TOO_LONG else NotAsked(reason)

    async def _search(self, place: str, sought: Sought) -> Found:
        oldest, cursor, unmarked = f"{(sought.first_posted_at - BEFORE).timestamp():.6f}", "", False
        for _ in range(PAGES_MAX):
            reply = await replied(
                self._client.conversations_history(
                    channel=place, oldest=oldest, limit=PAGE, include_all_metadata=True, cursor=cursor or None
                )
            )
            messages = reply.data.get("messages")
            if not reply.fine or not isinstance(messages, list):
                return _unasked(unposted(reply))
            for message in messages:
                if marks(message) == str(sought.outreach_id):
                    return _found(place, message)
                unmarked = unmarked or bare(message)
            cursor = next_cursor(reply)
            if not cursor:
                done = reply.data.get("has_more") is not True
                return (Unclear("unmarked_message") if unmarked else NotThere()) if done else Unclear("no_cursor")
        return Unclear("too_many_messages")


def marks(message: Any) -> str:
    """Return the id of the outreach that a message is; empty for anybody else's."""
    if not isinstance(message, Mapping):
        return ""
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, Mapping) else None
    if isinstance(payload, Mapping) and isinstance(metadata, Mapping) and metadata.get("event_type") == EVENT_TYPE:
        return str(payload.get("outreach_id", ""))
    blocks = message.get("blocks")
    names = (
        [block.get("block_id") for block in blocks if isinstance(block, Mapping)] if isinstance(blocks, list) else []
    )
    return next((name.removeprefix(BLOCK) for name in names if isinstance(name, str) and name.startswith(BLOCK)), "")


def bare(message: Any) -> bool:
    """Tell whether a message came from an app and has nothing to know it by: it could be ours."""
    said = isinstance(message, Mapping) and (message.get("bot_id") or message.get("subtype") == "bot_message")
    return bool(said) and not message.get("metadata") and not message.get("blocks")


def next_cursor(reply: Reply) -> str:
    """Return where the next page begins; empty at the last."""
    cursor = reply.inner("response_metadata", "next_cursor")
    return cursor if isinstance(cursor, str) else ""


def _found(place: str, message: Mapping[str, Any]) -> Found:
    stamp = message.get("ts")
    if not isinstance(stamp, str) or not TIME_STAMP.fullmatch(stamp):
        return Unclear(UNREADABLE, "no_ts")
    return Accepted(provider_id(place, stamp))


def _unasked(refused: Any) -> Found:
    """Say what a refusal to answer means: for good, it is a check that failed; for now, it was none."""
    if isinstance(refused, RefusedForGood):
        return Unclear(refused.reason, refused.code)
    if refused.reason == "scope_missing":
        return Unclear(refused.reason, refused.code)
    return NotAsked(refused.reason, refused.code, refused.after_s)
