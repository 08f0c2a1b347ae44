"""Which numbers are not written to, and what providers reported of messages."""

from alembic import op

revision = "messenger_0006"
down_revision = "messenger_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- Numbers whose owners want no texts from a sender, by keyed digest. Rows are never purged: no is no.
CREATE TABLE blocks (
    tenant_id     text        NOT NULL,
    number_digest text        NOT NULL,
    key_mark      text        NOT NULL,  -- which key made the digest
    blocked       boolean     NOT NULL,  -- false: they came back, or a person lifted it
    since         timestamptz NOT NULL,  -- business clock: the last word on it
    word_class    text        NOT NULL,  -- how it was said: keyword, wish, doubt; provider; back; lifted
    who           text        NOT NULL DEFAULT '',  -- the person, where a person decided
    why           text        NOT NULL DEFAULT '',
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, number_digest)
);

-- Every word on a number, with its time.
CREATE TABLE blocks_history (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text        NOT NULL,
    number_digest text        NOT NULL,
    blocked       boolean     NOT NULL,
    at            timestamptz NOT NULL,  -- business clock
    word_class    text        NOT NULL,
    who           text        NOT NULL,
    why           text        NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX blocks_history_of ON blocks_history (tenant_id, number_digest);

-- The keys that this release compares digests with: a block made with another one would forbid nothing.
CREATE TABLE block_keys (
    key_mark text PRIMARY KEY
);

-- What providers reported of messages, once for each of their ids and status; also of messages that nobody knows.
CREATE TABLE reports (
    tenant_id   text        NOT NULL,
    outreach_id uuid        NOT NULL,
    provider_id text        NOT NULL,
    status      text        NOT NULL,
    code        text        NOT NULL,
    known       boolean     NOT NULL,  -- whether the ledger held the message
    at          timestamptz NOT NULL,  -- business clock
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, outreach_id, provider_id, status)
);
-- Serves the list of what nobody could place.
CREATE INDEX reports_odd ON reports (tenant_id, at) WHERE NOT known;
-- Serves the purge.
CREATE INDEX reports_recorded ON reports (recorded_at);
""")


def downgrade() -> None:
    op.execute("DROP TABLE reports, block_keys, blocks_history, blocks")
