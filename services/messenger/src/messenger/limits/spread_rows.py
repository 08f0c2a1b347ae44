"""The SQL that gives what waits for a pace its moments, so that no claim meets it before."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from messenger.limits.pacing import SPREAD_MAX, Key, Pace
from messenger.sending.ledger import Ledger


class SpreadRows(Ledger):
    """Waiting messages, inside one transaction."""

    async def spread_people(
        self,
        channel: str,
        behind: Mapping[Key, datetime],
        pace: Pace,
        now: datetime,
        most: tuple[int, Sequence[object]] = (SPREAD_MAX, ()),
    ) -> Counter[Key]:
        """Give what waits for these people a moment each, one interval apart, so that it is in nobody's way.

        `most` says how many of each person's, and which ones go; returned is how many got theirs.
        """
        rows = await self._connection.fetch(
            """
            WITH s AS MATERIALIZED (
                SELECT q.tenant_id, q.outreach_id, t.free_at,
                       row_number() OVER (PARTITION BY t.tenant_id, t.person_id
                                              ORDER BY q.next_due_at, q.outreach_id) AS place
                  FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS t (tenant_id, person_id, free_at)
                 CROSS JOIN LATERAL (SELECT w.tenant_id, w.outreach_id, w.next_due_at
                                       FROM ledger AS w
                                      WHERE w.tenant_id = t.tenant_id AND w.person_id = t.person_id
                                        AND w.state = 'due' AND w.channel = $1 AND w.next_due_at <= $6
                                        AND NOT (w.outreach_id = ANY($7::uuid[]))
                                      ORDER BY w.next_due_at
                                      LIMIT $8
                                        FOR UPDATE SKIP LOCKED) AS q)
            UPDATE ledger AS l
               SET next_due_at = s.free_at + $5::interval * (s.place - 1), reason = 'paced'
              FROM s
             WHERE l.tenant_id = s.tenant_id AND l.outreach_id = s.outreach_id
            RETURNING l.tenant_id, l.person_id
            """,
            channel,
            [tenant for tenant, _ in behind],
            [person for _, person in behind],
            [*behind.values()],
            pace.interval,
            now,
            most[1],
            most[0],
        )
        return Counter((row["tenant_id"], row["person_id"]) for row in rows)

    async def spread_accounts(self, channel: str, behind: Mapping[Key, datetime], pace: Pace, now: datetime) -> None:
        """Give all that waits for these accounts a moment each; everybody's first message before anybody's second."""
        await self._connection.execute(
            """
            WITH q AS MATERIALIZED (
                SELECT w.tenant_id, w.outreach_id, w.next_due_at, t.free_at,
                       row_number() OVER (PARTITION BY w.tenant_id, w.person_id
                                              ORDER BY w.next_due_at, w.outreach_id) AS turn
                  FROM unnest($2::text[], $3::timestamptz[]) AS t (tenant_id, free_at)
                 CROSS JOIN LATERAL (SELECT v.tenant_id, v.outreach_id, v.person_id, v.next_due_at
                                       FROM ledger AS v
                                      WHERE v.tenant_id = t.tenant_id
                                        AND v.state = 'due' AND v.channel = $1 AND v.next_due_at <= $5
                                      ORDER BY v.next_due_at
                                      LIMIT $6
                                        FOR UPDATE SKIP LOCKED) AS w), s AS MATERIALIZED (
                SELECT tenant_id, outreach_id, free_at,
                       row_number() OVER (PARTITION BY tenant_id ORDER BY turn, next_due_at, outreach_id) AS place
                  FROM q)
            UPDATE ledger AS l
               SET next_due_at = s.free_at + $4::interval * (s.place - 1), reason = 'paced'
              FROM s
             WHERE l.tenant_id = s.tenant_id AND l.outreach_id = s.outreach_id
            """,
            channel,
            [tenant for tenant, _ in behind],
            [*behind.values()],
            pace.interval,
            now,
            SPREAD_MAX,
        )
