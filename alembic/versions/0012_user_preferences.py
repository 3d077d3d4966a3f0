"""In which zone a user lives, when their day begins, and since when; completions by instant."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE user_preferences (
            user_id VARCHAR(255) NOT NULL,
            since TIMESTAMPTZ NOT NULL,
            time_zone TEXT NOT NULL,
            day_start TIME NOT NULL,
            PRIMARY KEY (user_id, since)
        )
    """)
    # The days of get-mood are read from the index alone, and the last week from its end.
    op.execute("""
        CREATE INDEX completions_days ON completions (user_id, completed_at) INCLUDE (reopened_at)
    """)


def downgrade() -> None:
    op.execute("DROP INDEX completions_days")
    op.execute("DROP TABLE user_preferences")
