"""The SQL of channel policies: each version that was ever in force, and what waits for a channel."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from messenger.bounces.returned import Returned
from messenger.planning.plans import ChannelPolicy


class PlanRows(Returned):
    """What messenger does once at start, inside one transaction."""

    async def activate(self, policy: ChannelPolicy, now: datetime) -> ChannelPolicy:
        """Make a policy version a row; a known version stays as it was. Return what is known under it."""
        await self._connection.execute(
            "INSERT INTO channel_policies (version, body, activated_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            policy.version,
            msgspec.json.encode(policy).decode(),
            now,
        )
        body: str = await self._connection.fetchval(
            "SELECT body FROM channel_policies WHERE version = $1", policy.version
        )
        return msgspec.json.decode(body, type=ChannelPolicy)

    async def wake_waiting(self, channels: Sequence[str], reason: str, now: datetime) -> None:
        """Look now at messages that waited for these channels to be set up."""
        await self._connection.execute(
            """
            UPDATE ledger SET next_due_at = least(next_due_at, $3)
             WHERE state = 'due' AND channel = ANY($1::text[]) AND reason = $2
            """,
            channels,
            reason,
            now,
        )
