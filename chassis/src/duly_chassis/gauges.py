"""Gauges that a scrape asks the database for: ages and numbers of what waits.

Each service adds its own as data. All are asked in one read-only transaction, within a deadline, and kept for some
seconds, so that scrapes cannot load the database; when it is away, its gauges vanish instead of telling old values.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from prometheus_client import Gauge

from duly_chassis import offsets
from duly_chassis.clock import Clock
from duly_chassis.database import Connection, Database
from duly_chassis.faults import label
from duly_chassis.logs import log
from duly_chassis.metrics import SERIES_MAX, Metrics, code

CACHE_S = 5.0
ASK_DEADLINE_S = 2.0
LOG = log("gauges")


@dataclass(frozen=True, slots=True)
class Asked:
    """One gauge and the query that gives it, for every tenant together.

    The query returns rows with a column `value` and one for each label; `$1` in it is the business clock's now. It
    must find its answer by an index, or look at no more than some thousand rows.
    """

    name: str
    text: str
    query: str
    labels: tuple[str, ...] = ()


CHASSIS = (
    Asked(
        "duly_outbox_age_seconds",
        "Age of the oldest event that is not published (machine clock)",
        """
        SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS value
          FROM (SELECT created_at FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 1) AS oldest
        """,
    ),
    Asked(
        "duly_outbox_events",
        "Events that are not published; counted up to 10,000",
        "SELECT count(*)::float8 AS value FROM (SELECT FROM outbox WHERE published_at IS NULL LIMIT 10000) AS waiting",
    ),
    Asked(
        "duly_dead_letters_open",
        "Dead letters that nobody has decided on; counted up to 10,000",
        """
        SELECT reason, count(*)::float8 AS value
          FROM (SELECT reason FROM dead_letters WHERE state = 'open' LIMIT 10000) AS kept GROUP BY reason
        """,
        ("reason",),
    ),
    Asked(
        "duly_brake_held_seconds",
        "For how long a brake has held (machine clock)",
        """
        SELECT name AS brake, extract(epoch FROM clock_timestamp() - tripped_at)::float8 AS value
          FROM brakes WHERE released_at IS NULL
        """,
        ("brake",),
    ),
)
"""What every service has."""


class Gauges:
    """Asks for one service's gauges."""

    def __init__(self, asked: Sequence[Asked], database: Database, clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._gauges: list[tuple[Asked, Gauge]] = [
            (one, metrics.gauge(one.name, one.text, one.labels)) for one in (*CHASSIS, *asked)
        ]
        self._asked_at_s: float | None = None
        self._asking = asyncio.Lock()
        self.applied: Mapping[offsets.Partition, int] = {}
        """The next offset of each partition, as stored with what was applied."""

    async def refresh(self) -> None:
        """Ask again, unless the last answers are young enough; never raises."""
        async with self._asking:
            if self._asked_at_s is not None and time.monotonic() - self._asked_at_s < CACHE_S:
                return
            try:
                async with asyncio.timeout(ASK_DEADLINE_S), self._database.transaction() as connection:
                    answers = await self._ask(connection, self._clock.now())
                    stored = await offsets.stored(connection)
            except Exception as error:  # noqa: BLE001 - whatever it is, these values are not known
                LOG.warning("gauges_unanswered", service=self._metrics.service, error=label(error))
                answers, stored = {}, {}
            self._asked_at_s = time.monotonic()
            self.applied = {place: held.next_offset for place, held in stored.items()}
            self._metrics.gauges_ok.labels(self._metrics.service).set(bool(answers))
            self._show(answers)

    async def _ask(self, connection: Connection, now: datetime) -> dict[str, list[asyncpg.Record]]:
        """Run each query; the database itself ends one that takes too long."""
        await connection.execute("SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '1s'")
        return {
            one.name: await connection.fetch(one.query, *((now,) if "$1" in one.query else ()))
            for one, _ in self._gauges
        }

    def _show(self, answers: Mapping[str, Sequence[asyncpg.Record]]) -> None:
        for one, gauge in self._gauges:
            gauge.clear()
            for row in answers.get(one.name, ())[:SERIES_MAX]:
                gauge.labels(self._metrics.service, *(code(row[name]) for name in one.labels)).set(row["value"])
