"""What came back, and which address nobody is at."""

from alembic import op

revision = "messenger_0003"
down_revision = "messenger_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- Which address an attempt went to, by its digest: the one that a bounce speaks of, whatever the record says by then.
ALTER TABLE ledger_history ADD COLUMN address_digest bytea;

-- The address that a bounce declared dead, by its digest, so that a new one is not. The message tells the story.
ALTER TABLE contacts
    ADD COLUMN dead_digest   bytea,
    ADD COLUMN dead_code     text,
    ADD COLUMN dead_at       timestamptz,  -- business clock
    ADD COLUMN dead_outreach uuid;
-- Serves the list of dead addresses.
CREATE INDEX contacts_dead ON contacts (tenant_id, person_id) WHERE dead_digest IS NOT NULL;

-- Every mail that came back to a return address of ours, once; nothing of its text.
CREATE TABLE bounces (
    tenant_id   text        NOT NULL,
    outreach_id uuid        NOT NULL,  -- of a message that the ledger may not know any more
    digest      bytea       NOT NULL,  -- of the mail
    attempt     int         NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('failed', 'delayed', 'delivered', 'unreadable')),
    code        text        NOT NULL,
    known       boolean     NOT NULL,  -- whether the ledger held the message
    at          timestamptz NOT NULL,  -- business clock
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, outreach_id, digest)
);
-- Serves the list of what nobody could read or place.
CREATE INDEX bounces_odd ON bounces (tenant_id, at) WHERE kind = 'unreadable' OR NOT known;
-- Serves the purge.
CREATE INDEX bounces_recorded ON bounces (recorded_at);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE bounces;
ALTER TABLE contacts DROP COLUMN dead_digest, DROP COLUMN dead_code, DROP COLUMN dead_at, DROP COLUMN dead_outreach;
ALTER TABLE ledger_history DROP COLUMN address_digest;
""")
