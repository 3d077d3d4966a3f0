"""Tasks that were deleted and may come back for a while."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # For the purge alone: the tasks of everybody else are not in it.
    op.execute(
        "CREATE INDEX idx_tasks_deleted_at ON tasks (deleted_at) WHERE deleted_at IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX idx_tasks_deleted_at")
