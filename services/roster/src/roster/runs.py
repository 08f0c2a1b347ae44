"""The SQL of runs and of the decisions about them; what readers ask is in reading.py."""

from datetime import datetime

from duly_chassis.work import Work
from roster import rows
from roster.record import Change
from roster.rows import HeldRun, RunRow

STATEMENT_DEADLINE_S = 300  # a whole roster in one statement, on a slow disk

PURGE_CHANGES = """
    DELETE FROM changes WHERE ctid = ANY(ARRAY(
        SELECT c.ctid FROM changes AS c
         WHERE c.recorded_at < $1
           AND NOT EXISTS (SELECT FROM runs AS r WHERE r.tenant_id = c.tenant_id AND r.run = c.run AND r.state = 'held')
         LIMIT $2))
"""


class Runs(Work):
    """Runs and decisions, inside one transaction."""

    async def record(self, row: RunRow) -> None:
        """Write a run, and that it was the tenant's last."""
        await self._connection.execute(
            """
            WITH numbered AS (UPDATE rosters SET runs = $2 WHERE tenant_id = $1)
            INSERT INTO runs (tenant_id, run, state, file_name, digest, complete, rows, good_rows, unchanged, counts,
                              brakes, refusals, refused, findings, found, base_run, planned_at, next_due_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
            """,
            *row,
        )

    async def taken(self, tenant_id: str, run: int, complete_rows: int | None, *, changed: bool) -> None:
        """Note that a run is in force: what the next is measured by, and what makes older held ones stale."""
        await self._connection.execute(
            """
            UPDATE rosters
               SET changed_run = CASE WHEN $3 THEN $2 ELSE changed_run END,
                   complete_rows = coalesce($4, complete_rows)
             WHERE tenant_id = $1
            """,
            tenant_id,
            run,
            changed,
            complete_rows,
        )

    async def decide(self, tenant_id: str, run: int, decision: str, who: str, why: str, now: datetime) -> None:
        """Keep who decided what about a run."""
        await self._connection.execute(
            """
            INSERT INTO decisions (tenant_id, run, decision, who, why, decided_at) VALUES ($1, $2, $3, $4, $5, $6)
            """,
            tenant_id,
            run,
            decision,
            who,
            why,
            now,
        )

    async def held_alike(self, row: RunRow) -> int | None:
        """Return the run that is held for the same bytes already, if one is that would do as much to as many."""
        found: int | None = await self._connection.fetchval(
            """
            SELECT run FROM runs
             WHERE tenant_id = $1 AND digest = $2 AND complete = $3 AND base_run = $4 AND counts = $5 AND state = 'held'
             ORDER BY run LIMIT 1
            """,
            row.tenant_id,
            row.digest,
            row.complete,
            row.base_run,
            row.counts,
        )
        return found

    async def held(self, tenant_id: str, run: int) -> HeldRun | None:
        """Return a held run of this tenant, locked; another tenant's is as unknown as none."""
        row = await self._connection.fetchrow(
            """
            SELECT tenant_id, run, complete, good_rows, base_run
              FROM runs
             WHERE tenant_id = $1 AND run = $2 AND state = 'held'
               FOR UPDATE
            """,
            tenant_id,
            run,
        )
        return HeldRun(*row) if row else None

    async def proposal(self, tenant_id: str, run: int) -> list[Change]:
        """Load what a held run proposes, whole; two queries, as `roster` has them."""
        found = await self._connection.fetch(
            """
            SELECT person_id, kind, fields, version, proposed
              FROM changes
             WHERE tenant_id = $1 AND run = $2
             ORDER BY person_id
            """,
            tenant_id,
            run,
            timeout=STATEMENT_DEADLINE_S,
        )
        kept = await self._connection.fetch(
            "SELECT person_id, name, mail, mobile FROM vault_held WHERE tenant_id = $1 AND run = $2",
            tenant_id,
            run,
            timeout=STATEMENT_DEADLINE_S,
        )
        personal = {row["person_id"]: row for row in kept}
        return [rows.proposed(row, personal[row["person_id"]]) for row in found]

    async def end(self, tenant_id: str, run: int, state: str) -> None:
        """Give a held run its last state; what it proposed is not kept any longer, its personal part least of all."""
        await self._connection.execute(
            "UPDATE runs SET state = $3, next_due_at = NULL WHERE tenant_id = $1 AND run = $2", tenant_id, run, state
        )
        await self._connection.execute(
            "UPDATE changes SET proposed = NULL WHERE tenant_id = $1 AND run = $2",
            tenant_id,
            run,
            timeout=STATEMENT_DEADLINE_S,
        )
        await self._connection.execute(
            "DELETE FROM vault_held WHERE tenant_id = $1 AND run = $2", tenant_id, run, timeout=STATEMENT_DEADLINE_S
        )

    async def claim(self, now: datetime, limit: int) -> list[HeldRun]:
        """Claim held runs that nobody decided about in time, oldest first; other replicas pass over them."""
        found = await self._connection.fetch(
            """
            SELECT tenant_id, run, complete, good_rows, base_run
              FROM runs
             WHERE next_due_at <= $1
             ORDER BY next_due_at
             LIMIT $2
               FOR UPDATE SKIP LOCKED
            """,
            now,
            limit,
        )
        return [HeldRun(*row) for row in found]
