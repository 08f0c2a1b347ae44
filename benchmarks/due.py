"""Due rows: a claim with its effect among few and among many waiting rows, beside an old snapshot, and row by row."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from benchmarks.arms import Arm
from benchmarks.figures import Figure, Size, ratio
from benchmarks.place import Place

SPAN = timedelta(days=365)  # over which the waiting rows are spread, evenly; each is moved to the end of it
BEGINS = datetime(2027, 1, 1, tzinfo=UTC)
ROWS_ALONE = 300  # for the baseline that takes them one by one
TABLES = ("few", "many")

# Rows as reminders keeps them, in its own table's columns and with its indexes, which are made once all rows are there.
CREATE = "CREATE TABLE bench.{name} (LIKE reminders.deadlines INCLUDING DEFAULTS) WITH (fillfactor = 80)"
FILL = """
    INSERT INTO bench.{name} (tenant_id, assignment_id, person_id, training_id, training_title, assigned_at, due_at,
                              due_sequence, due_occurred_at, due_event_id, zone, next_due_at, policy_version, titled_at)
    SELECT 'acme', 'a-2026-' || lpad(n::text, 8, '0'), 'e-' || lpad((n / 4)::text, 7, '0'), 'fire-safety-2026',
           'Fire safety 2026', $1, $1::timestamptz + n * $2::interval + '14 days', 1, $1, 'event-' || n, 'Europe/Paris',
           $1::timestamptz + n * $2::interval, '1', $1
      FROM generate_series(1, $3::bigint) AS n
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'reminders' AND tablename = 'deadlines'"


def measure(place: Place, size: Size, say: Callable[[str], None]) -> list[Figure]:
    """Fill two tables, then let the arms claim from them by turns."""
    rows = {"few": size.due_few, "many": size.due_many}
    evidence: dict[str, list[float]] = {}
    for name, number in rows.items():
        began = time.monotonic()
        asyncio.run(fill(place.endpoints.database_url, name, number))
        evidence[f"{name}_fill_seconds"] = [time.monotonic() - began]
        say(f"due: filled {number:,} waiting rows in {evidence[f'{name}_fill_seconds'][0]:.0f} s")
    ms: dict[str, list[float]] = {"few": [], "many": [], "snapshot": [], "alone": []}
    try:
        for number in range(size.rounds):
            for name in ("few", "many") if number % 2 == 0 else ("many", "few"):
                ms[name].append(_claims(place, size, name, rows[name]))
            ms["snapshot"].append(_claims(place, size, "many", rows["many"], old_snapshot=True))
            ms["alone"].append(_alone(place))
            told = ", ".join(f"{name} {values[-1]:,.1f} ms" for name, values in ms.items())
            say(f"due, round {number + 1} of {size.rounds}, for 1,000 rows: {told}")
    finally:
        asyncio.run(_execute(place.endpoints.database_url, *(f"DROP TABLE IF EXISTS bench.{name}" for name in TABLES)))
    evidence |= {f"{name}_ms_per_1000": values for name, values in ms.items()}
    grown, held = ratio(ms["many"], ms["few"]), ratio(ms["snapshot"], ms["many"])
    what = f"due rows, {size.due_many:,} waiting"
    return [
        Figure(f"{what} / {size.due_few:,}, time", grown, "x", 3, 1.5, evidence, lower_is_better=True),
        Figure(f"{what}, batch / row at a time", ratio(ms["alone"], ms["many"]), "x", 40, 60),
        Figure(f"{what}, old snapshot / none, time", held, "x", 1.5, 1.1, lower_is_better=True),
    ]


async def fill(database_url: str, name: str, number: int) -> None:
    """Make a table of so many waiting rows, as a database that has long had them: indexed, analysed, written out."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(CREATE.format(name=name))
        await connection.execute(FILL.format(name=name), BEGINS, SPAN / number, number)
        for index in await connection.fetch(INDEXES):
            made = index["indexdef"].replace("reminders.deadlines", f"bench.{name}")
            await connection.execute(made.replace(index["indexname"], f"{name}_{index['indexname']}"))
        await connection.execute(f"GRANT SELECT, INSERT, UPDATE ON bench.{name} TO bench")
        await connection.execute(f"VACUUM (FREEZE, ANALYZE) bench.{name}")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


async def _execute(database_url: str, *statements: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def _claims(place: Place, size: Size, name: str, rows: int, *, old_snapshot: bool = False) -> float:
    """Let Duly claim from a table, which takes the service's own name for so long; returns ms per claim of 1,000."""
    url = place.endpoints.database_url
    asyncio.run(_execute(url, f"ALTER TABLE bench.{name} RENAME TO deadlines"))
    try:
        arguments = {
            "settings": place.settings(),
            "claims": size.claims,
            "apart_s": (SPAN / rows).total_seconds(),
            "span_s": SPAN.total_seconds(),
            "old_snapshot": old_snapshot,
        }
        return _seconds("due_duly", arguments, place) / size.claims * 1e3
    finally:
        asyncio.run(_execute(url, f"ALTER TABLE bench.deadlines RENAME TO {name}"))


def _alone(place: Place) -> float:
    """Let the baseline take rows one by one; returns ms for 1,000 of them."""
    arguments = {"database_url": place.endpoints.database_url, "rows": ROWS_ALONE, "span_s": SPAN.total_seconds()}
    return _seconds("due_bare", arguments, place) / ROWS_ALONE * 1e6


def _seconds(module: str, arguments: dict[str, Any], place: Place) -> float:
    with Arm(f"benchmarks.{module}", arguments, place.log(module)) as arm:
        arm.hear()
        arm.go()
        return float(arm.hear()["seconds"])
