"""What came in, once each; what a person should read; and what waits for a person's word."""

from alembic import op

revision = "intake_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every callback behind it

-- Every callback and text that was taken, once for each tenant it concerns: no number and no word of a person.
CREATE TABLE callbacks (
    tenant_id     text        NOT NULL,  -- '': of a sender that we do not know
    edge          text        NOT NULL CHECK (edge IN ('twilio_status', 'twilio_inbound')),
    key           text        NOT NULL,  -- the provider's id of the message; of a report with its status
    said          text        NOT NULL,  -- the status; of a text what it wants
    code          text        NOT NULL DEFAULT '',  -- the provider's own; of a text how sure it is
    outreach_id   uuid,                  -- of a report
    number_digest text,                  -- of a text
    at            timestamptz NOT NULL,  -- business clock
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, edge, key)
);
-- Serves the story of an outreach, and the purge.
CREATE INDEX callbacks_of ON callbacks (tenant_id, outreach_id) WHERE outreach_id IS NOT NULL;
CREATE INDEX callbacks_recorded ON callbacks (recorded_at);

-- The words of texts that a person should read, for that long and no longer. Personal data.
CREATE TABLE reviews (
    tenant_id     text        NOT NULL,
    key           text        NOT NULL,
    number_digest text        NOT NULL,
    word_class    text        NOT NULL,
    words         text        NOT NULL,
    at            timestamptz NOT NULL,  -- business clock
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX reviews_recorded ON reviews (recorded_at);

-- A START to a sender of several tenants: for each of them it waits for a person's word, or lapses.
CREATE TABLE starts (
    tenant_id     text        NOT NULL,
    number_digest text        NOT NULL,
    key_mark      text        NOT NULL,
    at            timestamptz NOT NULL,  -- business clock
    next_due_at   timestamptz,           -- business clock: when it lapses
    PRIMARY KEY (tenant_id, number_digest)
);
-- Serves the claim of those that lapse, oldest first.
CREATE INDEX starts_due ON starts (next_due_at) WHERE next_due_at IS NOT NULL;

-- Slack's interactions, once each: ids, what was pressed, where to answer.
CREATE TABLE presses (
    tenant_id   text        NOT NULL,  -- '': of a workspace that we do not know
    key         text        NOT NULL,
    workspace   text        NOT NULL,
    user_id     text        NOT NULL,
    facts       jsonb       NOT NULL,
    at          timestamptz NOT NULL,  -- business clock
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX presses_recorded ON presses (recorded_at);

-- What people decided about reviews and starts.
CREATE TABLE decisions (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text        NOT NULL,
    number_digest text        NOT NULL,
    decision      text        NOT NULL,
    who           text        NOT NULL,
    why           text        NOT NULL,
    at            timestamptz NOT NULL,  -- business clock
    recorded_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX decisions_of ON decisions (tenant_id, number_digest);
""")


def downgrade() -> None:
    op.execute("DROP TABLE decisions, presses, starts, reviews, callbacks")
