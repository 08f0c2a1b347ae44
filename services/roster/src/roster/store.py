"""The SQL of what runs load and save, a handful of statements whatever the size; what readers ask is in reading.py."""

from collections.abc import Sequence
from datetime import datetime

from duly_chassis.work import Work
from roster import rows
from roster.domain import Roster
from roster.record import Change, Known, Record
from roster.rows import HeldRun, Place, RunRow

STATEMENT_DEADLINE_S = 300  # a whole roster in one statement, on a slow disk

PURGE_CHANGES = """
    DELETE FROM changes WHERE ctid = ANY(ARRAY(
        SELECT c.ctid FROM changes AS c
         WHERE c.recorded_at < $1
           AND NOT EXISTS (SELECT FROM runs AS r WHERE r.tenant_id = c.tenant_id AND r.run = c.run AND r.state = 'held')
         LIMIT $2))
"""


class Store(Work):
    """People, runs and decisions, inside one transaction."""

    async def lock(self, tenant_id: str) -> Place:
        """Have this tenant's imports take turns, and return where its roster stands.

        The transaction may then stand idle while a large run is planned beside the loop.
        """
        await self._connection.execute("SET LOCAL idle_in_transaction_session_timeout = '120s'")
        await self._connection.execute("INSERT INTO rosters (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING", tenant_id)
        row = await self._connection.fetchrow(
            "SELECT runs, changed_run, complete_rows FROM rosters WHERE tenant_id = $1 FOR UPDATE", tenant_id
        )
        return Place(row["runs"] + 1, row["changed_run"], row["complete_rows"]) if row else Place(1, 0, None)

    async def look(self, tenant_id: str) -> Place:
        """Return where a tenant's roster stands, for a run that will change nothing."""
        await self._connection.execute("SET LOCAL idle_in_transaction_session_timeout = '120s'")
        row = await self._connection.fetchrow(
            "SELECT runs, changed_run, complete_rows FROM rosters WHERE tenant_id = $1", tenant_id
        )
        return Place(row["runs"] + 1, row["changed_run"], row["complete_rows"]) if row else Place(1, 0, None)

    async def roster(self, tenant_id: str, place: Place) -> Roster:
        """Load everybody of a tenant, those who left included.

        Two queries and no join: where the planner has not seen a tenant yet it takes their people for one, and
        joined everybody with everybody (measured: 15,000 people in more than 5 s).
        """
        found = await self._connection.fetch(
            """
            SELECT person_id, status, since, zone, locale, manager_id, department, team, role, location, hired_on,
                   left_on, version, id_fold
              FROM people
             WHERE tenant_id = $1
            """,
            tenant_id,
            timeout=STATEMENT_DEADLINE_S,
        )
        kept = await self._connection.fetch(
            "SELECT person_id, name, mail, mobile FROM vault WHERE tenant_id = $1",
            tenant_id,
            timeout=STATEMENT_DEADLINE_S,
        )
        personal = {row[0]: row[1:] for row in kept}
        people = {row[0]: Known(Record._make((*row[:-2], *personal[row[0]])), row[-2], row[-1]) for row in found}
        return Roster(people, place.complete_rows)

    async def save(self, tenant_id: str, run: int, changes: Sequence[Change], now: datetime) -> None:
        """Write these records, their personal part into the vault."""
        await self._connection.execute(
            """
            INSERT INTO people AS p
                   (tenant_id, run, occurred_at, person_id, id_fold, version, status, since, zone, locale, manager_id,
                    department, team, role, location, hired_on, left_on)
            SELECT $1, $2, $3, t.*
              FROM json_to_recordset($4::json) AS t (person_id text, id_fold text, version bigint, status text,
                   since timestamptz, zone text, locale text, manager_id text, department text, team text, role text,
                   location text, hired_on date, left_on date)
                ON CONFLICT (tenant_id, person_id) DO UPDATE
               SET run = EXCLUDED.run, occurred_at = EXCLUDED.occurred_at, version = EXCLUDED.version,
                   status = EXCLUDED.status, since = EXCLUDED.since, zone = EXCLUDED.zone, locale = EXCLUDED.locale,
                   manager_id = EXCLUDED.manager_id, department = EXCLUDED.department, team = EXCLUDED.team,
                   role = EXCLUDED.role, location = EXCLUDED.location, hired_on = EXCLUDED.hired_on,
                   left_on = EXCLUDED.left_on, recorded_at = now()
             WHERE p.version < EXCLUDED.version
            """,
            tenant_id,
            run,
            now,
            rows.people_json(changes),
            timeout=STATEMENT_DEADLINE_S,
        )
        await self._connection.execute(
            """
            INSERT INTO vault (tenant_id, person_id, name, mail, mobile)
            SELECT $1, t.*
              FROM json_to_recordset($2::json) AS t (person_id text, name text, mail text, mobile text)
                ON CONFLICT (tenant_id, person_id) DO UPDATE
               SET name = EXCLUDED.name, mail = EXCLUDED.mail, mobile = EXCLUDED.mobile
            """,
            tenant_id,
            rows.vault_json(changes),
            timeout=STATEMENT_DEADLINE_S,
        )

    async def note_changes(self, tenant_id: str, run: int, changes: Sequence[Change], *, held: bool) -> None:
        """Keep which run does what to whom; of a held run the whole proposal, its personal part in a vault."""
        await self._connection.execute(
            """
            INSERT INTO changes (tenant_id, run, person_id, kind, fields, version, proposed)
            SELECT $1, $2, t.person_id, t.kind, t.fields, t.version, t.proposed
              FROM json_to_recordset($3::json)
                   AS t (person_id text, kind text, fields text[], version bigint, proposed jsonb)
            """,
            tenant_id,
            run,
            rows.changes_json(changes, whole=held),
            timeout=STATEMENT_DEADLINE_S,
        )
        if held:
            await self._connection.execute(
                """
                INSERT INTO vault_held (tenant_id, run, person_id, name, mail, mobile)
                SELECT $1, $2, t.*
                  FROM json_to_recordset($3::json) AS t (person_id text, name text, mail text, mobile text)
                """,
                tenant_id,
                run,
                rows.vault_json(changes),
                timeout=STATEMENT_DEADLINE_S,
            )

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

    async def held_alike(self, tenant_id: str, digest: str, base_run: int, *, complete: bool) -> int | None:
        """Return the run that is held for the same bytes already, if one is."""
        found: int | None = await self._connection.fetchval(
            """
            SELECT run FROM runs
             WHERE tenant_id = $1 AND digest = $2 AND complete = $3 AND base_run = $4 AND state = 'held'
             ORDER BY run LIMIT 1
            """,
            tenant_id,
            digest,
            complete,
            base_run,
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
