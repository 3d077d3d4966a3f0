"""Keys that can be seen and limited, revocations, what administrators did, who has what."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # For whoever wants everything of one user, or nothing left. It takes the longest, so it comes
    # before what every request would wait for.
    op.execute("CREATE INDEX task_categories_user_id ON task_categories (user_id)")
    op.execute("""
        ALTER TABLE service_api_keys
            ADD COLUMN note VARCHAR(500),
            ADD COLUMN rate_limit VARCHAR(50),
            ADD COLUMN user_ids TEXT[]
    """)
    op.execute("""
        COMMENT ON COLUMN service_api_keys.user_ids IS
            'The only users whom the key may act for; null where it may for any'
    """)
    op.execute("""
        CREATE TABLE key_usage (
            key_id UUID NOT NULL,
            day DATE NOT NULL,
            action VARCHAR(255) NOT NULL,
            ok BIGINT NOT NULL,
            refused BIGINT NOT NULL,
            failed BIGINT NOT NULL,
            PRIMARY KEY (key_id, day, action)
        ) WITH (fillfactor = 70)
    """)
    op.execute("CREATE INDEX key_usage_day ON key_usage (day)")
    _create_revocations()
    op.execute("""
        CREATE TABLE audit (
            id UUID PRIMARY KEY DEFAULT uuid_v7(),
            occurred_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            administrator VARCHAR(255) NOT NULL,
            act VARCHAR(50) NOT NULL,
            object VARCHAR(300) NOT NULL,
            address VARCHAR(255),
            request_id VARCHAR(128),
            before JSONB,
            after JSONB
        )
    """)
    op.execute("CREATE INDEX audit_occurred_at ON audit (occurred_at)")


def _create_revocations() -> None:
    op.execute("""
        CREATE TABLE revocations (
            id UUID PRIMARY KEY DEFAULT uuid_v7(),
            user_id VARCHAR(255),
            installation_id VARCHAR(255),
            key_name VARCHAR(100),
            reason VARCHAR(500) NOT NULL,
            until TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            created_by VARCHAR(255) NOT NULL,
            CHECK (num_nonnulls(user_id, installation_id, key_name) > 0)
        )
    """)
    op.execute("""
        CREATE INDEX revocations_user_id ON revocations (user_id) WHERE user_id IS NOT NULL
    """)
    # Workers ask whether anything is new, and for the revocations only where something is. A
    # trigger raises the version in the transaction of the change, also where it is made by hand.
    op.execute("CREATE TABLE revocation_version (version BIGINT NOT NULL)")
    op.execute("INSERT INTO revocation_version VALUES (0)")
    op.execute("""
        CREATE FUNCTION note_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE revocation_version SET version = version + 1;
            RETURN NULL;
        END
        $$
    """)
    op.execute("""
        CREATE TRIGGER note_revocation AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON revocations
            FOR EACH STATEMENT EXECUTE FUNCTION note_revocation()
    """)


def downgrade() -> None:
    op.execute("DROP INDEX task_categories_user_id")
    op.execute("DROP TABLE audit")
    op.execute("DROP TABLE revocations")
    op.execute("DROP TABLE revocation_version")
    op.execute("DROP FUNCTION note_revocation()")
    op.execute("DROP TABLE key_usage")
    op.execute("""
        ALTER TABLE service_api_keys
            DROP COLUMN note, DROP COLUMN rate_limit, DROP COLUMN user_ids
    """)
