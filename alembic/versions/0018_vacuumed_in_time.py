"""Tables of which the oldest rows go are vacuumed when a fiftieth has gone, not a fifth.

The slices that remove the next begin at the oldest row: what went and is not vacuumed lies before.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_TABLES = ("changes", "replays", "webhook_deliveries")


def upgrade() -> None:
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.02)")


def downgrade() -> None:
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor)")
