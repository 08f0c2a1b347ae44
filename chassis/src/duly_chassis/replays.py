"""Dead letters applied again on a person's word: the lane's code over the stored bytes, one transaction a portion.

The letters are locked while they are still open, and the inbox knows every event id: replayed twice is applied once.
Older facts overwrite nothing newer, for handlers go by version and source time, whatever the order of arrival.
"""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from duly_chassis import brakes, crash, dead_letters, letters, retry
from duly_chassis.applying import Applying, Counted, Read, refused
from duly_chassis.clock import Clock
from duly_chassis.database import EVERYBODY, Connection, Database
from duly_chassis.dead_letters import Chosen, DeadLetter
from duly_chassis.faults import Fault, fault, label
from duly_chassis.letters import Stored
from duly_chassis.logs import log
from duly_chassis.metrics import Metrics
from duly_chassis.service import Service
from duly_contracts.decode import Decoder, Skip

TRYING_S = 10.0  # whoever waits for the answer gives up after 30 s
LOG = log("replays")


class HeldByBrake(Exception):
    """The consumer is held: what a person must look at first is not passed by through a replay."""


class Undone(Exception):
    """A dry run has come to its end: everything it did is rolled back."""


@dataclass(slots=True)
class Outcome:
    """What became of one portion; `next` is where to go on, or None when it was the last."""

    applied: int = 0
    repeated: int = 0
    """Known by their event id: somebody had published the fact again meanwhile."""
    skipped: int = 0
    """Of no use to this release."""
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    """Why they failed this time: reason and fingerprint, with their number."""
    next: int | None = None


class Replays:
    """Replays dead letters for one service."""

    def __init__(self, service: Service[Any], database: Database, clock: Clock, metrics: Metrics) -> None:
        self._service = service
        self._database = database
        self._applying = Applying(service, clock)
        self._metrics = metrics
        self._decoder = Decoder(event for listen in service.listens for event in listen.types)

    async def replay(self, chosen: Chosen, by: str, after: int = 0, *, dry_run: bool = False) -> Outcome:
        """Apply the next portion of these letters, on the word of a named person.

        Raises HeldByBrake, or what a database that stays away raises. A dry run does all of it and undoes it.
        """
        async with self._database.letters(chosen.tenant_id or EVERYBODY) as connection:
            portion = await letters.to_replay(connection, chosen, after)
        outcome = Outcome()

        async def attempt() -> None:
            nonlocal outcome
            async with self._database.transaction() as connection:
                if not dry_run and await brakes.held(connection):
                    raise HeldByBrake
                outcome = await self._apply(connection, portion, by)
                if dry_run:
                    raise Undone
                crash.at("replay-before-commit")

        until_s = time.monotonic() + TRYING_S
        try:
            await retry.in_place(
                attempt, lambda error: fault(error) is Fault.WORLD and time.monotonic() < until_s, self._failed
            )
        except Undone:
            return outcome
        crash.at("replay-after-commit")
        self._metrics.count_event("any", "replayed", outcome.applied)
        LOG.info("dead_letters_replayed", service=self._service.name, applied=outcome.applied, failed=outcome.failed)
        return outcome

    async def _apply(self, connection: Connection, portion: Sequence[Stored], by: str) -> Outcome:
        open_now = await dead_letters.lock(connection, [one.id for one in portion])
        outcome = Outcome(next=portion[-1].id if portion else None)
        done: list[int] = []
        failed: dict[int, DeadLetter] = {}
        for one in sorted(portion, key=in_their_log):
            if one.id not in open_now:
                continue  # another replay was quicker
            letter = await self._one(connection, one, outcome)
            if letter is None:
                done.append(one.id)
            else:
                failed[one.id] = letter
        if done:
            await dead_letters.replayed(connection, done, by)
        if failed:
            await dead_letters.failed_again(connection, failed)
        outcome.failed = len(failed)
        outcome.failures = dict(Counter(f"{letter.reason}: {letter.fingerprint}" for letter in failed.values()))
        return outcome

    async def _one(self, connection: Connection, one: Stored, outcome: Outcome) -> DeadLetter | None:
        """Apply one record as a lane would that takes them one by one; return what keeps it here."""
        record = one.record
        found = self._decoder.decode(record.topic, record.key, record.headers, record.value)
        read, counted = Read(record, found, one.received_at), Counted()
        kept = [*refused([read]), *await self._applying.each(connection, [read], counted)]
        if kept:
            return kept[0]
        if isinstance(found, Skip):
            outcome.skipped += 1
        elif counted.repeated:
            outcome.repeated += 1
        else:
            outcome.applied += 1
        return None

    def _failed(self, error: BaseException, attempt: int) -> None:
        LOG.warning("replay_waits", service=self._service.name, error=label(error), attempt=attempt)


def in_their_log(one: Stored) -> tuple[str, int, int, int]:
    """Order letters as they stood in their partitions."""
    return one.record.topic, one.record.partition, one.epoch, one.record.offset
