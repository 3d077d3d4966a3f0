"""A mark of each change for who has yet to take it over, where the log is divided among machines.

On one machine nobody sets it.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE changes ADD COLUMN untaken TEXT[]")
    op.execute("""
        COMMENT ON COLUMN changes.untaken IS
            'Consumers that have yet to take it over, where the log is divided; otherwise null'
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER IF EXISTS mark_change ON changes")
    op.execute("DROP FUNCTION IF EXISTS mark_change()")
    op.execute("ALTER TABLE changes DROP COLUMN untaken")
