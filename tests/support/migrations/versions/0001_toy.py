"""What the toy service keeps."""

from alembic import op

revision = "toy_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE happened (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    tenant_id     text   NOT NULL,
    person_id     text   NOT NULL,
    assignment_id text   NOT NULL,
    what          text   NOT NULL,
    title         text   NOT NULL CHECK (title <> 'break a rule'),
    PRIMARY KEY (tenant_id, id)
);
CREATE TABLE alarms (
    tenant_id   text NOT NULL,
    person_id   text NOT NULL,
    next_due_at timestamptz,
    rung        int  NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, person_id)
);
""")


def downgrade() -> None:
    op.execute("DROP TABLE happened, alarms")
