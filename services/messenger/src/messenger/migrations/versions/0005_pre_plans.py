"""The channel policies that were in force, and when a channel may be used again at its provider's pace."""

from alembic import op

revision = "messenger_0005"
down_revision = "messenger_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- Each version of a channel policy that was ever in force; a message keeps the way that it began with.
CREATE TABLE channel_policies (
    version      text        PRIMARY KEY,
    body         jsonb       NOT NULL,
    activated_at timestamptz NOT NULL  -- business clock
);

-- The pace at which a provider takes messages, for all replicas. A scope is a person, or '' for the tenant's account.
CREATE TABLE pacing (
    tenant_id     text        NOT NULL,
    channel       text        NOT NULL,
    scope         text        NOT NULL,
    free_at       timestamptz,                      -- business clock: when the next message may go
    blocked_until timestamptz,                      -- business clock: the provider's Retry-After
    paced         bigint      NOT NULL DEFAULT 0,   -- messages that waited, or in a rehearsal would have
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, channel, scope)
) WITH (fillfactor = 70);
-- Serves the purge.
CREATE INDEX pacing_recorded ON pacing (recorded_at);
""")


def downgrade() -> None:
    op.execute("DROP TABLE pacing, channel_policies")
