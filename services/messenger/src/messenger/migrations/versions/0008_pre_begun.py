"""When the next request of a scope may begin, which is the pace, beside when its next message may be claimed."""

from alembic import op

revision = "messenger_0008"
down_revision = "messenger_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
SET LOCAL lock_timeout = '5s';  -- rather fail the deploy than queue every sender behind it

-- Business clock. Written before a request begins, as late as it can begin; right after it, as it was. The release
-- before leaves it alone and goes by free_at.
ALTER TABLE pacing ADD COLUMN begin_after timestamptz;
""")


def downgrade() -> None:
    op.execute("ALTER TABLE pacing DROP COLUMN begin_after")
