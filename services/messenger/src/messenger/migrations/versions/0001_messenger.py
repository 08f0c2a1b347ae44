"""Whom messenger can reach, what it was asked to say, what became of it, and what forbids saying it."""

from alembic import op

revision = "messenger_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- How people are reached; beside it only raw records in dead letters hold addresses.
CREATE TABLE contacts (
    tenant_id   text        NOT NULL,
    person_id   text        NOT NULL,
    version     bigint      NOT NULL,
    status      text        NOT NULL,
    name        text        NOT NULL,
    mail        text,
    zone        text,
    locale      text,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, person_id)
);

-- Facts that can make a message pointless, by what they are about: latest business moment of each type.
-- Made with the ledger row, so that the gate always finds one to lock; kept when nothing waits yet.
CREATE TABLE stops (
    tenant_id   text        NOT NULL,
    about       text        NOT NULL,
    facts       jsonb       NOT NULL DEFAULT '{}',
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, about)
);

-- One row per message to a person over a channel; a send is this row, never a loop.
CREATE TABLE ledger (
    tenant_id      text        NOT NULL,
    outreach_id    uuid        NOT NULL,
    channel        text        NOT NULL,
    person_id      text        NOT NULL,
    dedupe_key     text        NOT NULL,
    about          text        NOT NULL,
    step           text        NOT NULL,
    message        text        NOT NULL,
    "values"       jsonb       NOT NULL,
    ends_when      jsonb       NOT NULL,
    policy_version text        NOT NULL,
    not_before     timestamptz NOT NULL,
    useful_until   timestamptz NOT NULL,
    state          text        NOT NULL CHECK (state IN
                       ('due', 'posting', 'sent', 'suppressed', 'refused', 'in_doubt', 'parked')),
    reason         text        NOT NULL,
    code           text        NOT NULL DEFAULT '',  -- the provider's own, as evidence
    next_due_at    timestamptz,                      -- business clock: when to look again
    attempt        int         NOT NULL DEFAULT 0,
    wording        text        NOT NULL DEFAULT '',  -- the version of the template it was last written with
    lease_token    uuid,                             -- who has it on its way to the provider
    lease_until    timestamptz,                      -- machine clock
    provider_id    text,
    requested_at   timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, outreach_id),
    UNIQUE (tenant_id, person_id, dedupe_key, channel)
) WITH (fillfactor = 70);
-- Serve the claims, of what is due and of what is in doubt, oldest first.
CREATE INDEX ledger_due ON ledger (next_due_at) WHERE state = 'due';
CREATE INDEX ledger_in_doubt ON ledger (next_due_at) WHERE state = 'in_doubt';
-- Serves the gate, for the few rows one sender has on their way, and leases that lapse.
CREATE INDEX ledger_posting ON ledger (lease_token, lease_until) WHERE state = 'posting';
-- Serves a stop, or a person's new record: the waiting rows it concerns.
CREATE INDEX ledger_waiting_about ON ledger (tenant_id, about) WHERE state = 'due';
CREATE INDEX ledger_waiting_person ON ledger (tenant_id, person_id) WHERE state = 'due';
-- Serves the story of a message, and the list of parked ones.
CREATE INDEX ledger_about ON ledger (tenant_id, about);
CREATE INDEX ledger_parked ON ledger (tenant_id) WHERE state = 'parked';

-- Every change of a ledger row, with its time and cause.
CREATE TABLE ledger_history (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   text        NOT NULL,
    outreach_id uuid        NOT NULL,
    at          timestamptz NOT NULL,  -- business clock
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state       text        NOT NULL,
    reason      text        NOT NULL,
    code        text        NOT NULL,
    attempt     int         NOT NULL,
    who         text                   -- the person, where a person decided
);
CREATE INDEX ledger_history_of ON ledger_history (tenant_id, outreach_id);
""")


def downgrade() -> None:
    op.execute("DROP TABLE ledger_history, ledger, stops, contacts")
