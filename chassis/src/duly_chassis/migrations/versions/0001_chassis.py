"""What every service's schema holds for the consumer layer, the outbox and the brakes."""

from alembic import op

revision = "chassis_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- How far each partition was applied; written with the results.
CREATE TABLE consumer_offsets (
    topic       text        NOT NULL,
    partition   int         NOT NULL,
    next_offset bigint      NOT NULL,
    cluster_id  text,
    epoch       int         NOT NULL DEFAULT 0,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);  -- updated by every batch: keep the new versions on the page

-- Which facts were seen. The digest tells the same id with other content.
CREATE TABLE inbox (
    tenant_id   text        NOT NULL,
    source      text        NOT NULL,
    event_id    text        NOT NULL,
    digest      bigint      NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, source, event_id)
);
CREATE INDEX inbox_received ON inbox USING brin (received_at);

-- Events on their way out, in order.
CREATE TABLE outbox (
    id           bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        text        NOT NULL,
    key          bytea       NOT NULL,
    headers      json        NOT NULL,
    value        bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
);
-- Serves the relay: what still waits, oldest first.
CREATE INDEX outbox_waiting ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox USING brin (published_at);

-- Records that could not be applied. Bytes are personal data: 30 days.
CREATE TABLE dead_letters (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text        NOT NULL,
    partition   int         NOT NULL,
    "offset"    bigint      NOT NULL,
    epoch       int         NOT NULL,
    key         bytea,
    headers     bytea       NOT NULL,
    value       bytea,
    reason      text        NOT NULL,
    fingerprint text        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (topic, partition, "offset", epoch)
);

-- Who works here, as far as a service that decides needs it; no names, no addresses.
CREATE TABLE people (
    tenant_id   text        NOT NULL,
    person_id   text        NOT NULL,
    version     bigint      NOT NULL,
    status      text        NOT NULL,
    zone        text,
    locale      text,
    manager_id  text,
    department  text,
    role        text,
    location    text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, person_id)
);

-- Held work, and who let it go on.
CREATE TABLE brakes (
    id             bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text        NOT NULL,
    reason         text        NOT NULL,
    tripped_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    released_at    timestamptz,
    released_by    text,
    release_reason text,
    spent_at       timestamptz  -- when the release was acted on, where acting is a step of its own
);
CREATE UNIQUE INDEX brakes_held ON brakes (name) WHERE released_at IS NULL;

-- Readiness proves that the database takes writes by writing here.
CREATE TABLE health (
    id         int         PRIMARY KEY CHECK (id = 1),
    written_at timestamptz NOT NULL
);
""")


def downgrade() -> None:
    op.execute("DROP TABLE health, brakes, people, dead_letters, outbox, inbox, consumer_offsets")
