"""What holds sends back: brakes with their decisions, the answers of each provider, and how much is sent by hour."""

from alembic import op

revision = "messenger_0007"
down_revision = "messenger_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- Each hold with who, when and why, and its release likewise. Nothing is deleted: these are the decisions.
CREATE TABLE sending_brakes (
    id             bigint      GENERATED ALWAYS AS IDENTITY,
    tenant_id      text        NOT NULL,                 -- '*': all of them, which is no tenant's name
    kind           text        NOT NULL CHECK (kind IN ('kill_switch', 'provider', 'send_rate')),
    channel        text        NOT NULL DEFAULT '',      -- '': all of them
    reason         text        NOT NULL,
    held_by        text,                                 -- the person; null: a rule
    held_at        timestamptz NOT NULL,                 -- business clock
    holds          boolean     NOT NULL,                 -- false in a rehearsal: it only says what it would have held
    number         bigint      NOT NULL DEFAULT 0,       -- messages it has held, or would have
    probe          uuid,                                 -- the one message that may pass
    probed_at      timestamptz,                          -- business clock
    released_at    timestamptz,                          -- business clock
    released_by    text,
    release_reason text,
    free_at        timestamptz,                          -- business clock: the moment of the next message let go
    spent_at       timestamptz,                          -- machine clock: all that it held has its moment
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX sending_brakes_held ON sending_brakes (tenant_id, kind, channel) WHERE released_at IS NULL;
CREATE INDEX sending_brakes_spent ON sending_brakes (id) WHERE released_at IS NOT NULL AND spent_at IS NULL;

-- The last answers of each provider, to each tenant: x an error, a dot any other; no leading dots.
CREATE TABLE provider_answers (
    tenant_id text NOT NULL,
    channel   text NOT NULL,
    recent    text NOT NULL,
    PRIMARY KEY (tenant_id, channel)
) WITH (fillfactor = 70);

-- How many messages of a tenant were tried for the first time in each hour (business clock, UTC).
CREATE TABLE send_counts (
    tenant_id   text        NOT NULL,
    hour        timestamptz NOT NULL,
    sent        bigint      NOT NULL DEFAULT 0,
    approved    bigint      NOT NULL DEFAULT 0,  -- of these, on a person's word
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, hour)
) WITH (fillfactor = 70);
-- Serves the purge.
CREATE INDEX send_counts_recorded ON send_counts (recorded_at);

-- Serves the gauge of blocks whose key is gone.
CREATE INDEX blocks_by_key ON blocks (key_mark) WHERE blocked;

-- The new rule is checked for what comes; what stands here has one of the old states.
ALTER TABLE ledger DROP CONSTRAINT ledger_state_check;
ALTER TABLE ledger ADD CONSTRAINT ledger_state_check CHECK (state IN
    ('due', 'held', 'posting', 'sent', 'suppressed', 'refused', 'in_doubt', 'parked')) NOT VALID;
ALTER TABLE ledger ADD COLUMN approved boolean NOT NULL DEFAULT false;  -- a person let it go over the usual rate

-- Stops, and a person's new record, find what a brake holds too.
DROP INDEX ledger_waiting_about, ledger_waiting_person;
CREATE INDEX ledger_waiting_about ON ledger (tenant_id, about) WHERE state IN ('due', 'held');
CREATE INDEX ledger_waiting_person ON ledger (tenant_id, person_id) WHERE state IN ('due', 'held');
-- What is held is in no index that a claim goes by: these serve the look at it, a release and a probe.
CREATE INDEX ledger_held ON ledger (next_due_at) WHERE state = 'held';
CREATE INDEX ledger_held_by ON ledger (reason, tenant_id, channel) WHERE state = 'held';
""")


def downgrade() -> None:
    op.execute("""
UPDATE ledger SET state = 'due', next_due_at = now() WHERE state = 'held';
DROP INDEX blocks_by_key, ledger_held, ledger_held_by, ledger_waiting_about, ledger_waiting_person;
CREATE INDEX ledger_waiting_about ON ledger (tenant_id, about) WHERE state = 'due';
CREATE INDEX ledger_waiting_person ON ledger (tenant_id, person_id) WHERE state = 'due';
ALTER TABLE ledger DROP COLUMN approved;
ALTER TABLE ledger DROP CONSTRAINT ledger_state_check;
ALTER TABLE ledger ADD CONSTRAINT ledger_state_check CHECK (state IN
    ('due', 'posting', 'sent', 'suppressed', 'refused', 'in_doubt', 'parked')) NOT VALID;
DROP TABLE send_counts, provider_answers, sending_brakes;
""")
