"""The log without the transaction of each change: where to stop is found without it."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE changes DROP COLUMN transaction_id")


def downgrade() -> None:
    op.execute(
        "ALTER TABLE changes ADD COLUMN transaction_id XID8 NOT NULL DEFAULT pg_current_xact_id()"
    )
