"""The SQL of people: what runs load and save, a handful of statements whatever the size. Runs are in runs.py."""

from collections.abc import Sequence
from datetime import datetime

from roster import rows
from roster.domain import Roster
from roster.record import Change, Known, Record
from roster.rows import Place
from roster.runs import STATEMENT_DEADLINE_S, Runs


class Store(Runs):
    """People beside their runs, inside one transaction."""

    async def lock(self, tenant_id: str) -> Place:
        """Have this tenant's imports take turns, and return where its roster stands."""
        await self._connection.execute("INSERT INTO rosters (tenant_id) VALUES ($1) ON CONFLICT DO NOTHING", tenant_id)
        await self._connection.execute("SELECT FROM rosters WHERE tenant_id = $1 FOR UPDATE", tenant_id)
        return await self.look(tenant_id)

    async def look(self, tenant_id: str) -> Place:
        """Return where a tenant's roster stands; the transaction may then stand idle while a run is planned."""
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
