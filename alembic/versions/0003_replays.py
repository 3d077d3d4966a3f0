"""First answers, kept for commands that are sent again."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE replays (
            user_id VARCHAR(255) NOT NULL,
            key_name VARCHAR(100) NOT NULL,
            idempotency_key VARCHAR(255) NOT NULL,
            fingerprint BYTEA NOT NULL,
            status SMALLINT,
            body BYTEA,
            claimed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            PRIMARY KEY (user_id, key_name, idempotency_key)
        )
    """)
    op.execute("CREATE INDEX replays_claimed_at ON replays (claimed_at)")


def downgrade() -> None:
    op.execute("DROP TABLE replays")
