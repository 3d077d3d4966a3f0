"""Tasks, and the log of every change to them."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # UUID version 7: the milliseconds since 1970, then random bits. PostgreSQL has its own
    # from 18 on; before that, the version bits are set over a random one.
    op.execute("""
        DO $do$
        BEGIN
            IF current_setting('server_version_num')::int >= 180000 THEN
                CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE
                AS 'SELECT uuidv7()';
            ELSE
                CREATE FUNCTION uuid_v7() RETURNS uuid LANGUAGE sql VOLATILE AS $$
                    SELECT encode(
                        set_bit(set_bit(
                            overlay(
                                uuid_send(gen_random_uuid())
                                PLACING substring(
                                    int8send((extract(epoch FROM clock_timestamp()) * 1000)::int8)
                                    FROM 3
                                )
                                FROM 1 FOR 6
                            ),
                        52, 1), 53, 1),
                        'hex'
                    )::uuid
                $$;
            END IF;
        END
        $do$
    """)
    op.execute("""
        CREATE TABLE tasks (
            id UUID PRIMARY KEY DEFAULT uuid_v7(),
            user_id VARCHAR(255) NOT NULL,
            title VARCHAR(500) NOT NULL,
            description TEXT,
            status VARCHAR(50) NOT NULL DEFAULT 'pending',
            priority VARCHAR(50),
            tags TEXT[] NOT NULL DEFAULT '{}',
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            completed_at TIMESTAMPTZ,
            due_date TIMESTAMPTZ CHECK (
                due_date >= '1900-01-01 00:00:00Z' AND due_date < '9999-01-01 00:00:00Z'
            ),
            deleted_at TIMESTAMPTZ,
            version INTEGER NOT NULL DEFAULT 1
        )
    """)
    # In the order of list-tasks: newest first, ties broken by id.
    op.execute("""
        CREATE INDEX idx_tasks_user_id ON tasks (user_id, created_at DESC, id DESC)
    """)
    # Covers get-stats: the counts are read from the index alone.
    op.execute("""
        CREATE INDEX idx_tasks_user_status ON tasks (user_id, status)
            INCLUDE (due_date, deleted_at)
    """)
    op.execute("""
        CREATE TABLE change_counts (
            user_id VARCHAR(255) PRIMARY KEY,
            last_sequence BIGINT NOT NULL
        ) WITH (fillfactor = 70)
    """)
    op.execute("""
        CREATE TABLE changes (
            position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            transaction_id XID8 NOT NULL DEFAULT pg_current_xact_id(),
            kind VARCHAR(20) NOT NULL,
            operation VARCHAR(20) NOT NULL,
            user_id VARCHAR(255) NOT NULL,
            entity_id UUID NOT NULL,
            sequence BIGINT NOT NULL,
            fields TEXT[] NOT NULL,
            changed_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            UNIQUE (user_id, sequence)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE changes")
    op.execute("DROP TABLE change_counts")
    op.execute("DROP TABLE tasks")
    op.execute("DROP FUNCTION uuid_v7()")
