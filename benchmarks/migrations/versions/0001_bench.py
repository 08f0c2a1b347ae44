"""The state of the small service that is measured: one row per assignment, with its due time."""

from alembic import op

revision = "bench_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE states (
    tenant_id     text             NOT NULL,
    assignment_id text             NOT NULL,
    person_id     text             NOT NULL,
    training_id   text             NOT NULL,
    progress      double precision NOT NULL,
    occurred_at   timestamptz      NOT NULL,
    completed_at  timestamptz,
    next_due_at   timestamptz,
    PRIMARY KEY (tenant_id, assignment_id)
) WITH (fillfactor = 70);
-- Serves the claim: what is due now, oldest first.
CREATE INDEX states_due ON states (next_due_at) WHERE next_due_at IS NOT NULL;
""")


def downgrade() -> None:
    op.execute("DROP TABLE states")
