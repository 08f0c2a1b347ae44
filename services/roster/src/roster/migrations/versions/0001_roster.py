"""Who works here, how they are reached, which file said so, and who decided."""

from alembic import op

revision = "roster_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every import behind it

-- The chassis makes this table in every schema, as a replica. Here it is the truth, with what only roster knows.
ALTER TABLE people
    ADD COLUMN id_fold  text NOT NULL,  -- the id without case, spaces and leading zeros: what must not be there twice
    ADD COLUMN since    timestamptz,
    ADD COLUMN team     text,
    ADD COLUMN hired_on date,
    ADD COLUMN left_on  date,
    ADD COLUMN run      int  NOT NULL;  -- the run that changed the record last
CREATE UNIQUE INDEX people_fold ON people (tenant_id, id_fold);

-- Personal data of people, nowhere else in this schema but in the vault of held runs below.
CREATE TABLE vault (
    tenant_id text NOT NULL,
    person_id text NOT NULL,
    name      text,
    mail      text,
    mobile    text,
    PRIMARY KEY (tenant_id, person_id)
);

-- One row per tenant; its lock makes imports of a tenant take turns.
CREATE TABLE rosters (
    tenant_id     text PRIMARY KEY,
    runs          int  NOT NULL DEFAULT 0,  -- the number of the last run
    changed_run   int  NOT NULL DEFAULT 0,  -- the last run that changed anybody
    complete_rows int                       -- good rows of the last complete file that was taken
);

-- One row per file that came, whatever became of it. No personal data.
CREATE TABLE runs (
    tenant_id   text        NOT NULL,
    run         int         NOT NULL,
    state       text        NOT NULL CHECK (state IN
                    ('applied', 'refused', 'held', 'released', 'discarded', 'lapsed')),
    file_name   text        NOT NULL,
    digest      text        NOT NULL,  -- SHA-256 of the file's bytes
    complete    boolean     NOT NULL,
    rows        int         NOT NULL,
    good_rows   int         NOT NULL,
    unchanged   int         NOT NULL,
    counts      jsonb       NOT NULL,  -- people by what happens to them
    brakes      jsonb       NOT NULL,  -- why it was held
    refusals    jsonb       NOT NULL,  -- the first of the rows that were refused, or why the file was
    refused     int         NOT NULL,
    findings    jsonb       NOT NULL,  -- the first of what was taken and should be looked at
    found       int         NOT NULL,
    base_run    int         NOT NULL,  -- the last run that had changed anybody when this was planned
    planned_at  timestamptz NOT NULL,  -- business clock
    next_due_at timestamptz,           -- business clock: when a held run lapses
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, run)
);
-- Serves the claim of held runs that lapse, oldest first.
CREATE INDEX runs_due ON runs (next_due_at) WHERE next_due_at IS NOT NULL;

-- What a run does, or would do, to each person; `proposed` holds the whole record but its personal part, while held.
CREATE TABLE changes (
    tenant_id   text        NOT NULL,
    run         int         NOT NULL,
    person_id   text        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('joins', 'returns', 'leaves', 'changes', 'past')),
    fields      text[]      NOT NULL,
    version     bigint      NOT NULL,
    proposed    jsonb,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, run, person_id)
);
CREATE INDEX changes_recorded ON changes USING brin (recorded_at);

-- The personal part of held runs; gone with the decision, or when the run lapses.
CREATE TABLE vault_held (
    tenant_id text NOT NULL,
    run       int  NOT NULL,
    person_id text NOT NULL,
    name      text,
    mail      text,
    mobile    text,
    PRIMARY KEY (tenant_id, run, person_id)
);

-- Who decided what about a run, and why.
CREATE TABLE decisions (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text        NOT NULL,
    run         int         NOT NULL,
    decision    text        NOT NULL,
    who         text        NOT NULL,
    why         text        NOT NULL,
    decided_at  timestamptz NOT NULL,  -- business clock
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX decisions_of ON decisions (tenant_id, run);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE decisions, vault_held, changes, runs, rosters, vault;
DROP INDEX people_fold;
ALTER TABLE people DROP COLUMN id_fold, DROP COLUMN since, DROP COLUMN team, DROP COLUMN hired_on,
                   DROP COLUMN left_on, DROP COLUMN run;
""")
