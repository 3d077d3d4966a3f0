"""Service keys, sealed: whatever is written into api_key, only its SHA-256 is stored."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE service_api_keys (
            id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
            key_name VARCHAR(100) NOT NULL,
            api_key VARCHAR(255) NOT NULL UNIQUE,
            active BOOLEAN NOT NULL DEFAULT true,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            expires_at TIMESTAMPTZ,
            environment VARCHAR(20),
            last_four VARCHAR(4),
            enforce_ownership BOOLEAN NOT NULL DEFAULT false,
            scopes TEXT[],
            superseded_at TIMESTAMPTZ,
            last_used_at TIMESTAMPTZ
        )
    """)
    op.execute("""
        COMMENT ON COLUMN service_api_keys.api_key IS
            'SHA-256 of the key in hex; a plain key written here is sealed by a trigger'
    """)
    op.execute("""
        CREATE UNIQUE INDEX service_api_keys_current_name ON service_api_keys (key_name)
            WHERE superseded_at IS NULL
    """)
    op.execute("""
        CREATE INDEX idx_service_api_keys_active ON service_api_keys (api_key) WHERE active = true
    """)
    op.execute("""
        CREATE FUNCTION seal_service_api_key() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.api_key !~ '^[0-9a-f]{64}$' THEN
                NEW.environment := coalesce(
                    substring(NEW.api_key FROM '^sk_([a-z]+)_'), NEW.environment
                );
                NEW.last_four := right(NEW.api_key, 4);
                NEW.api_key := encode(sha256(convert_to(NEW.api_key, 'UTF8')), 'hex');
            END IF;
            RETURN NEW;
        END
        $$
    """)
    op.execute("""
        CREATE TRIGGER seal BEFORE INSERT OR UPDATE OF api_key ON service_api_keys
            FOR EACH ROW EXECUTE FUNCTION seal_service_api_key()
    """)


def downgrade() -> None:
    op.execute("DROP TABLE service_api_keys")
    op.execute("DROP FUNCTION seal_service_api_key()")
