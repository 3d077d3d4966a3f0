"""A table of sessions that Better Auth can write too, and users' API keys under their own name."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OURS = "Written by the auth server, read by the task service; made by its migration 0004"


def _if_ours(statements: str) -> str:
    """The auth server may have made the table: then it stays as it is, both ways."""
    return f"""
        DO $do$
        BEGIN
            IF obj_description(to_regclass('user_sessions'), 'pg_class') = '{_OURS}' THEN
                {statements}
            END IF;
        END
        $do$
    """


def upgrade() -> None:
    # Better Auth names its columns so, sets none of ours, and its ids are no UUIDs. It would add
    # what it misses, but before it makes the table of users that this refers to.
    op.execute(
        _if_ours("""
                ALTER TABLE user_sessions
                    ALTER COLUMN id DROP DEFAULT,
                    ALTER COLUMN id TYPE TEXT USING id::text,
                    ALTER COLUMN id SET DEFAULT gen_random_uuid()::text,
                    ALTER COLUMN user_id DROP NOT NULL,
                    ALTER COLUMN token_hash DROP NOT NULL,
                    ALTER COLUMN expires_at DROP NOT NULL,
                    ADD COLUMN "userId" TEXT,
                    ADD COLUMN token TEXT,
                    ADD COLUMN "expiresAt" TIMESTAMPTZ,
                    ADD COLUMN "ipAddress" TEXT,
                    ADD COLUMN "userAgent" TEXT,
                    ADD COLUMN "createdAt" TIMESTAMPTZ,
                    ADD COLUMN "updatedAt" TIMESTAMPTZ,
                    ADD CONSTRAINT user_sessions_complete CHECK (
                        coalesce(token_hash, token) IS NOT NULL
                        AND coalesce(user_id, "userId") IS NOT NULL
                        AND coalesce(expires_at, "expiresAt") IS NOT NULL
                    );
                CREATE UNIQUE INDEX user_sessions_token_uidx ON user_sessions (token);
                CREATE INDEX "user_sessions_userId_idx" ON user_sessions ("userId");
        """)
    )
    op.execute("ALTER TABLE user_secrets RENAME TO user_api_keys")
    op.execute("ALTER INDEX user_secrets_pkey RENAME TO user_api_keys_pkey")
    # For the versions that know the old name; PostgreSQL writes through such a view.
    op.execute("""
        CREATE VIEW user_secrets AS
        SELECT user_id, provider, encrypted_value, masked_key, validation_status,
            last_validated_at, created_at, updated_at
        FROM user_api_keys
    """)
    op.execute("""
        DO $do$
        DECLARE given record;
        BEGIN
            FOR given IN
                SELECT privilege_type AS kind,
                    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS role
                FROM pg_class, aclexplode(relacl)
                WHERE oid = 'user_api_keys'::regclass
                    AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            LOOP
                EXECUTE format('GRANT %s ON user_secrets TO %s', given.kind, given.role);
            END LOOP;
        END
        $do$
    """)


def downgrade() -> None:
    op.execute("DROP VIEW user_secrets")
    op.execute("ALTER INDEX user_api_keys_pkey RENAME TO user_secrets_pkey")
    op.execute("ALTER TABLE user_api_keys RENAME TO user_secrets")
    # What only Better Auth could have written goes with its columns.
    op.execute(
        _if_ours("""
                DELETE FROM user_sessions WHERE num_nonnulls(user_id, token_hash, expires_at) < 3;
                ALTER TABLE user_sessions
                    DROP CONSTRAINT user_sessions_complete,
                    DROP COLUMN "userId",
                    DROP COLUMN token,
                    DROP COLUMN "expiresAt",
                    DROP COLUMN "ipAddress",
                    DROP COLUMN "userAgent",
                    DROP COLUMN "createdAt",
                    DROP COLUMN "updatedAt",
                    ALTER COLUMN user_id SET NOT NULL,
                    ALTER COLUMN token_hash SET NOT NULL,
                    ALTER COLUMN expires_at SET NOT NULL,
                    ALTER COLUMN id DROP DEFAULT,
                    ALTER COLUMN id TYPE UUID USING CASE
                        WHEN pg_input_is_valid(id, 'uuid') THEN id::uuid ELSE gen_random_uuid()
                    END,
                    ALTER COLUMN id SET DEFAULT gen_random_uuid();
        """)
    )
