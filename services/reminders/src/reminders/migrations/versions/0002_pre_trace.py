"""The trace context of the fact that set the due date, so that what is done weeks later is linked to its cause."""

from alembic import op

revision = "reminders_0002"
down_revision = "reminders_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every handler behind it

-- As W3C writes it, so that it can be looked for as it is; '' where the row is older than this column.
-- A constant default rewrites no row, and the release before may go on inserting without it.
ALTER TABLE deadlines ADD COLUMN traceparent text NOT NULL DEFAULT '';
""")


def downgrade() -> None:
    op.execute("ALTER TABLE deadlines DROP COLUMN traceparent")
