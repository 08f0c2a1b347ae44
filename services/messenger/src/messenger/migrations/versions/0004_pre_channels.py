"""A message has a channel that may change: the way still ahead of it, and what a read-back needs."""

from alembic import op

revision = "messenger_0004"
down_revision = "messenger_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- As E.164, where the people's record brings one.
ALTER TABLE contacts ADD COLUMN mobile text;

-- What stands here is mail, and nothing comes after it. Constant defaults rewrite no row, and the release before may
-- go on inserting; it knows no channel but mail, so a policy that names another waits until it has left.
ALTER TABLE ledger
    ADD COLUMN plan            jsonb NOT NULL DEFAULT '[]',  -- the legs after the current channel, in their order
    ADD COLUMN plan_version    text  NOT NULL DEFAULT '',    -- of the channel policy; '': mail alone
    ADD COLUMN attempts_before int   NOT NULL DEFAULT 0,     -- made on earlier channels
    ADD COLUMN leg_since       timestamptz,                  -- business clock: the move here; null on the first channel
    ADD COLUMN address         text,                         -- where it went, only while nobody knows what became of it
    ADD COLUMN first_posted_at timestamptz,                  -- wall clock: the first attempt on this channel
    ADD COLUMN asking          uuid,                         -- who asks the provider just now, until lease_until
    ADD COLUMN checks          int   NOT NULL DEFAULT 0,     -- answers of the provider that said nothing for certain
    ADD COLUMN asks            int   NOT NULL DEFAULT 0,     -- times it could not be asked at all
    ADD COLUMN urgency         text  NOT NULL DEFAULT 'routine',
    ADD COLUMN why             text  NOT NULL DEFAULT '';    -- a code of who asked for it
ALTER TABLE ledger_history ADD COLUMN channel text NOT NULL DEFAULT 'mail';

-- Each channel claims its own rows, oldest first.
DROP INDEX ledger_due, ledger_in_doubt;
CREATE INDEX ledger_due ON ledger (channel, next_due_at) WHERE state = 'due';
CREATE INDEX ledger_in_doubt ON ledger (channel, next_due_at) WHERE state = 'in_doubt';
-- Serves what was sent and goes on to another channel if nothing ends it.
CREATE INDEX ledger_unanswered ON ledger (next_due_at) WHERE state = 'sent' AND next_due_at IS NOT NULL;

-- One message under one notification key, whatever channel it is on now.
CREATE UNIQUE INDEX ledger_once ON ledger (tenant_id, person_id, dedupe_key);
ALTER TABLE ledger DROP CONSTRAINT ledger_tenant_id_person_id_dedupe_key_channel_key;
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE ledger ADD CONSTRAINT ledger_tenant_id_person_id_dedupe_key_channel_key
    UNIQUE (tenant_id, person_id, dedupe_key, channel);
DROP INDEX ledger_once, ledger_unanswered, ledger_due, ledger_in_doubt;
CREATE INDEX ledger_due ON ledger (next_due_at) WHERE state = 'due';
CREATE INDEX ledger_in_doubt ON ledger (next_due_at) WHERE state = 'in_doubt';
ALTER TABLE ledger_history DROP COLUMN channel;
ALTER TABLE ledger
    DROP COLUMN plan, DROP COLUMN plan_version, DROP COLUMN attempts_before, DROP COLUMN leg_since,
    DROP COLUMN address, DROP COLUMN first_posted_at, DROP COLUMN asking, DROP COLUMN checks, DROP COLUMN asks,
    DROP COLUMN urgency, DROP COLUMN why;
ALTER TABLE contacts DROP COLUMN mobile;
""")
