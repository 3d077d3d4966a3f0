"""The revision, readable by whatever role the service has: it compares it with its own."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT ON alembic_version TO PUBLIC")


def downgrade() -> None:
    op.execute("REVOKE SELECT ON alembic_version FROM PUBLIC")
