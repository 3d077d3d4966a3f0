"""Contacts, their calls, and what the worker knows of its consumers of the change log."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A contact is its own owner: its tasks and calls carry the same user_id.
    op.execute("""
        CREATE TABLE contacts (
            id UUID PRIMARY KEY DEFAULT uuid_v7(),
            user_id VARCHAR(255) NOT NULL GENERATED ALWAYS AS (id::text) STORED UNIQUE,
            name VARCHAR(100) NOT NULL,
            email VARCHAR(320) NOT NULL,
            company VARCHAR(100) NOT NULL,
            user_type VARCHAR(20) NOT NULL,
            notes VARCHAR(500),
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX contacts_newest ON contacts (created_at DESC, id DESC)")
    op.execute("""
        CREATE TABLE calls (
            id UUID PRIMARY KEY DEFAULT uuid_v7(),
            user_id VARCHAR(255) NOT NULL REFERENCES contacts (user_id),
            title VARCHAR(200) NOT NULL,
            scheduled_for TIMESTAMPTZ NOT NULL,
            duration_minutes SMALLINT NOT NULL,
            notes VARCHAR(500),
            status VARCHAR(20) NOT NULL DEFAULT 'scheduled',
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX calls_newest ON calls (created_at DESC, id DESC)")
    op.execute("CREATE INDEX calls_user_id ON calls (user_id, created_at DESC, id DESC)")
    # Holds every task that may be a contact's, by the length of its owner's id, and few others.
    op.execute("""
        CREATE INDEX idx_tasks_contact ON tasks (created_at DESC, id DESC)
            WHERE length(user_id) IN (0, 36)
    """)
    op.execute("""
        CREATE TABLE consumers (
            name VARCHAR(50) PRIMARY KEY,
            position BIGINT NOT NULL DEFAULT 0
        ) WITH (fillfactor = 50)
    """)
    # One row for each entity with changes, from the first to the last, that a consumer has not yet
    # delivered. changed_at is the first one's; null where it is delivered again without a change.
    op.execute("""
        CREATE TABLE deliveries (
            consumer VARCHAR(50) NOT NULL,
            kind VARCHAR(20) NOT NULL,
            entity_id UUID NOT NULL,
            first_position BIGINT NOT NULL,
            last_position BIGINT NOT NULL,
            changed_at TIMESTAMPTZ,
            attempts INTEGER NOT NULL DEFAULT 0,
            due_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            PRIMARY KEY (consumer, entity_id)
        ) WITH (
            fillfactor = 70,
            autovacuum_vacuum_scale_factor = 0,
            autovacuum_vacuum_threshold = 5000
        )
    """)
    op.execute("CREATE INDEX deliveries_oldest ON deliveries (consumer, changed_at)")


def downgrade() -> None:
    op.execute("DROP TABLE deliveries")
    op.execute("DROP TABLE consumers")
    op.execute("DROP INDEX idx_tasks_contact")
    op.execute("DROP TABLE calls")
    op.execute("DROP TABLE contacts")
