"""Sessions, which an auth server writes, and the secrets of users, encrypted."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OURS = "Written by the auth server, read by the task service; made by its migration 0004"


def upgrade() -> None:
    # The auth server may have made the table already: then it stays as it is, both ways.
    op.execute(f"""
        DO $do$
        BEGIN
            IF to_regclass('user_sessions') IS NULL THEN
                CREATE TABLE user_sessions (
                    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
                    user_id VARCHAR(255) NOT NULL,
                    token_hash VARCHAR(64) NOT NULL UNIQUE,
                    expires_at TIMESTAMPTZ NOT NULL,
                    revoked BOOLEAN NOT NULL DEFAULT false,
                    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
                );
                COMMENT ON TABLE user_sessions IS '{_OURS}';
            END IF;
        END
        $do$
    """)
    op.execute("""
        CREATE TABLE user_secrets (
            user_id VARCHAR(255) NOT NULL,
            provider VARCHAR(50) NOT NULL,
            encrypted_value BYTEA NOT NULL,
            masked_key VARCHAR(20) NOT NULL,
            validation_status VARCHAR(20),
            last_validated_at TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            PRIMARY KEY (user_id, provider)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE user_secrets")
    op.execute(f"""
        DO $do$
        BEGIN
            IF obj_description(to_regclass('user_sessions'), 'pg_class') = '{_OURS}' THEN
                DROP TABLE user_sessions;
            END IF;
        END
        $do$
    """)
