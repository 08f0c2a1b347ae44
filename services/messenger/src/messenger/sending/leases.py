"""Leases of what is on its way: renewed while its sender lives, and taken over when it does not (machine clock)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from duly_chassis import crash
from duly_chassis.logs import log
from duly_chassis.service import Context
from messenger import domain
from messenger.channel import InDoubt
from messenger.sender import Rules
from messenger.sending.ledger import Ledger

LOG = log("leases")


class Leases:
    """Shows that this process lives, and notices those that do not: a lapsed attempt is in doubt at once."""

    def __init__(
        self,
        context: Context,
        tokens: Callable[[], Sequence[UUID]],
        rules: Rules,
        doubt_waits: Mapping[str, timedelta] | None = None,
    ) -> None:
        self._context = context
        self._tokens = tokens
        self._rules = rules
        self._doubt_waits = doubt_waits or {}

    async def step(self) -> bool:
        """Renew our leases, then take over what others left behind."""
        now = self._context.clock.now()
        async with self._context.database.transaction() as connection:
            tx = Ledger(connection)
            await tx.renew(self._tokens(), self._rules.lease)
            lapsed = await tx.claim_lapsed(self._rules.batch_max * 10)
            if lapsed:
                doubt = InDoubt("sender_lost")
                waits = [self._doubt_waits.get(row.channel, self._rules.doubt_wait) for row in lapsed]
                changes = [domain.settled(row, doubt, wait, now) for row, wait in zip(lapsed, waits, strict=True)]
                await tx.change(changes, now)
                crash.at("lapse-before-commit")
        if lapsed:
            crash.at("lapse-after-commit")
            LOG.warning("leases_lapsed", rows=len(lapsed))
            self._context.committed()
        return False
