"""What became of a dead letter, whose it is, and what a process had begun when it died."""

from alembic import op

revision = "chassis_0002"
down_revision = "chassis_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- Open until a person has it applied again or gives it up; either way the row stays for its 30 days.
ALTER TABLE dead_letters
    ADD COLUMN tenant_id      text,  -- null: header, key and value do not all name one, so it belongs to nobody
    ADD COLUMN state          text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'discarded')),
    ADD COLUMN settled_at     timestamptz,
    ADD COLUMN settled_by     text,
    ADD COLUMN settled_reason text,
    ADD COLUMN replay_count   int  NOT NULL DEFAULT 0,
    ADD COLUMN replayed_at    timestamptz,
    -- One name for all of one cause. What the decoder says of a place or a size is no other cause; a version is.
    ADD COLUMN cause text NOT NULL GENERATED ALWAYS AS (
        'g' || left(lpad(to_hex(hashtextextended(reason || ' ' || CASE
            WHEN reason = 'version' OR fingerprint NOT LIKE 'decode %' THEN fingerprint
            ELSE regexp_replace(fingerprint, '[0-9]+', 'N', 'g') END, 0)), 16, '0'), 11)) STORED;
-- Serves a group's replay, oldest first.
CREATE INDEX dead_letters_cause ON dead_letters (cause, id);
-- Serves one tenant's view of them.
CREATE INDEX dead_letters_of_tenant ON dead_letters (tenant_id, id);

-- What a process had begun with a partition that was new to it; unfinished while next_offset lies below until_offset.
CREATE TABLE consumer_starts (
    topic        text        NOT NULL,
    partition    int         NOT NULL,
    epoch        int         NOT NULL,  -- offsets of another epoch say nothing about this one
    until_offset bigint      NOT NULL,
    alone_offset bigint,                -- the one record that was begun with nothing beside it, and how often
    alone_starts int         NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition)
);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE consumer_starts;
DROP POLICY IF EXISTS one_tenant ON dead_letters;
ALTER TABLE dead_letters NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY,
    DROP COLUMN cause, DROP COLUMN tenant_id, DROP COLUMN state, DROP COLUMN settled_at, DROP COLUMN settled_by,
    DROP COLUMN settled_reason, DROP COLUMN replay_count, DROP COLUMN replayed_at
""")
