"""What reminders watches, what it decided, and by which policy."""

from alembic import op

revision = "reminders_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- Each version of a policy that was ever in force; running cases go on naming the old one.
CREATE TABLE policies (
    version      text        PRIMARY KEY,
    body         jsonb       NOT NULL,
    activated_at timestamptz NOT NULL
);
GRANT SELECT ON policies TO reminders_reader;

-- One row per assignment we watch. Owned by reminders; no other service reads it.
CREATE TABLE deadlines (
    tenant_id       text        NOT NULL,
    assignment_id   text        NOT NULL,
    person_id       text        NOT NULL,
    training_id     text,
    training_title  text        NOT NULL,
    assigned_at     timestamptz,  -- null: an end or a change arrived before the assignment
    due_at          timestamptz,
    due_sequence    bigint,       -- these three order the facts that set the due date
    due_occurred_at timestamptz,
    due_event_id    text,
    completed_at    timestamptz,
    withdrawn_at    timestamptz,
    zone            text,         -- the zone the plan was made with
    next_due_at     timestamptz,  -- when to look again; null: nothing more to say
    policy_version  text        NOT NULL,
    titled_at       timestamptz,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, assignment_id)
) WITH (fillfactor = 80);
-- Serves the claim: what is due now, oldest first.
CREATE INDEX deadlines_due ON deadlines (next_due_at) WHERE next_due_at IS NOT NULL;
-- Serves a person moving to another zone: their waiting rows only.
CREATE INDEX deadlines_waiting_by_person ON deadlines (tenant_id, person_id) WHERE next_due_at IS NOT NULL;

-- Why somebody heard something, or did not: each step whose moment came, once per occurrence. The outreach_id
-- leads on to messenger's ledger.
CREATE TABLE decisions (
    tenant_id      text        NOT NULL,
    assignment_id  text        NOT NULL,
    person_id      text        NOT NULL,
    occurrence     text        NOT NULL,  -- the step and the due date it was about
    step           text        NOT NULL,
    moment         timestamptz NOT NULL,
    requested      boolean     NOT NULL,
    reason         text        NOT NULL,
    policy_version text        NOT NULL,
    "values"       jsonb       NOT NULL,  -- what the rule looked at
    outreach_id    uuid        NOT NULL,
    decided_at     timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, assignment_id, occurrence)
);
""")


def downgrade() -> None:
    op.execute("DROP TABLE decisions, deadlines, policies")
