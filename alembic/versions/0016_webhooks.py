"""Webhooks: endpoints, what each has yet to be told, and the moods that were told."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_DEVELOPMENT_KEY = "e9e95c93cc8fe719c4e96b7a247193ffa528f990809116be3d2525c3e9fb7a71"


def upgrade() -> None:
    op.execute("ALTER TABLE changes ADD COLUMN data JSONB")
    op.execute("COMMENT ON COLUMN changes.data IS 'What is told of a mood or a key'")
    op.execute("""
        CREATE TABLE webhook_endpoints (
            id UUID PRIMARY KEY DEFAULT uuid_v7(),
            url TEXT NOT NULL,
            events TEXT[] NOT NULL,
            user_ids TEXT[],
            description VARCHAR(500),
            secret BYTEA NOT NULL,
            previous_secrets BYTEA[] NOT NULL DEFAULT '{}',
            previous_until TIMESTAMPTZ[] NOT NULL DEFAULT '{}',
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            failing_since TIMESTAMPTZ,
            disabled_at TIMESTAMPTZ,
            disabled_reason VARCHAR(200)
        )
    """)
    op.execute("COMMENT ON COLUMN webhook_endpoints.user_ids IS 'Null: the events of all users'")
    _create_deliveries()
    _create_replays()
    _tell_of_moods()
    _tell_of_keys()


def _create_deliveries() -> None:
    # By the position of the change; user_id is empty where an event is nobody's.
    op.execute("""
        CREATE TABLE webhook_deliveries (
            endpoint_id UUID NOT NULL,
            position BIGINT NOT NULL,
            user_id VARCHAR(255) NOT NULL,
            type VARCHAR(50) NOT NULL,
            occurred_at TIMESTAMPTZ NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            failures INTEGER NOT NULL DEFAULT 0,
            due_at TIMESTAMPTZ,
            claimed_until TIMESTAMPTZ,
            outcome VARCHAR(20),
            state VARCHAR(20) NOT NULL GENERATED ALWAYS AS (CASE
                WHEN outcome = 'failed' AND due_at IS NOT NULL THEN 'retrying'
                ELSE coalesce(outcome, 'pending')
            END) STORED,
            attempted_at TIMESTAMPTZ,
            status INTEGER,
            duration_ms INTEGER,
            error VARCHAR(200),
            PRIMARY KEY (endpoint_id, position, user_id)
        ) WITH (fillfactor = 80)
    """)
    op.execute("""
        CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at, position)
            WHERE due_at IS NOT NULL
    """)
    op.execute("""
        CREATE INDEX webhook_deliveries_claimed ON webhook_deliveries (endpoint_id, user_id)
            WHERE claimed_until IS NOT NULL
    """)
    # The log keeps what is still to be told.
    op.execute("""
        CREATE INDEX webhook_deliveries_untold ON webhook_deliveries (position)
            WHERE due_at IS NOT NULL
    """)
    # For whoever looks for the few that failed, or that did not.
    op.execute("""
        CREATE INDEX webhook_deliveries_state ON webhook_deliveries (endpoint_id, state, position)
    """)
    op.execute("CREATE INDEX webhook_deliveries_user_id ON webhook_deliveries (user_id)")


def _create_replays() -> None:
    # How far it is; what is up to the last position is told again.
    op.execute("""
        CREATE TABLE webhook_replays (
            endpoint_id UUID PRIMARY KEY REFERENCES webhook_endpoints ON DELETE CASCADE,
            since TIMESTAMPTZ NOT NULL,
            position BIGINT NOT NULL,
            last_position BIGINT NOT NULL
        )
    """)


def _tell_of_moods() -> None:
    op.execute("""
        CREATE TABLE user_moods (
            user_id VARCHAR(255) PRIMARY KEY,
            label VARCHAR(20),
            due_at TIMESTAMPTZ NOT NULL
        ) WITH (fillfactor = 70)
    """)
    op.execute("COMMENT ON COLUMN user_moods.label IS 'As told last; null: never'")
    op.execute("COMMENT ON COLUMN user_moods.due_at IS 'When it may be another'")
    op.execute("CREATE INDEX user_moods_due ON user_moods (due_at)")
    op.execute("""
        CREATE FUNCTION note_mood() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE user_moods SET due_at = now() WHERE user_id = NEW.user_id;
            RETURN NULL;
        END
        $$
    """)
    op.execute("""
        CREATE TRIGGER note_mood AFTER INSERT ON user_preferences
            FOR EACH ROW EXECUTE FUNCTION note_mood()
    """)


def _tell_of_keys() -> None:
    # By a trigger, so that it is told of whoever writes: the command line, or somebody by hand.
    # A name gets another key while one of its keys works only by a rotation.
    op.execute("""
        CREATE FUNCTION key_told(key service_api_keys) RETURNS jsonb LANGUAGE sql STABLE AS $$
            SELECT jsonb_build_object(
                'key_id', key.id, 'key_name', key.key_name, 'environment', key.environment,
                'expires_at',
                to_char(key.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
            )
        $$
    """)
    op.execute("""
        CREATE FUNCTION note_key() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            INSERT INTO changes (kind, operation, user_id, entity_id, fields, data)
            SELECT 'key', CASE
                WHEN TG_OP = 'UPDATE' THEN 'revoked'
                WHEN EXISTS (
                    SELECT FROM service_api_keys
                    WHERE key_name = NEW.key_name AND id <> NEW.id AND active
                        AND (expires_at IS NULL OR expires_at >= now())
                ) THEN 'rotated'
                ELSE 'created'
            END, '', NEW.id, '{}', key_told(NEW);
            RETURN NULL;
        END
        $$
    """)
    # The published key of development comes about by itself, and is no news.
    op.execute(f"""
        CREATE TRIGGER note_created_key AFTER INSERT ON service_api_keys
            FOR EACH ROW WHEN (NEW.api_key <> '{_DEVELOPMENT_KEY}') EXECUTE FUNCTION note_key()
    """)
    op.execute("""
        CREATE TRIGGER note_revoked_key AFTER UPDATE OF active ON service_api_keys
            FOR EACH ROW WHEN (OLD.active AND NOT NEW.active) EXECUTE FUNCTION note_key()
    """)
    op.execute("""
        CREATE TABLE key_notices (
            key_id UUID NOT NULL,
            expires_at TIMESTAMPTZ NOT NULL,
            days INTEGER NOT NULL,
            PRIMARY KEY (key_id, expires_at, days)
        )
    """)


def downgrade() -> None:
    op.execute("DROP TABLE key_notices")
    op.execute("DROP TRIGGER note_revoked_key ON service_api_keys")
    op.execute("DROP TRIGGER note_created_key ON service_api_keys")
    op.execute("DROP FUNCTION note_key()")
    op.execute("DROP FUNCTION key_told(service_api_keys)")
    op.execute("DROP TRIGGER note_mood ON user_preferences")
    op.execute("DROP FUNCTION note_mood()")
    op.execute("DROP TABLE user_moods")
    op.execute("DROP TABLE webhook_replays")
    op.execute("DROP TABLE webhook_deliveries")
    op.execute("DROP TABLE webhook_endpoints")
    # The code before counts on a change of a task, contact or call.
    op.execute("DELETE FROM changes WHERE kind IN ('mood', 'key')")
    op.execute("ALTER TABLE changes DROP COLUMN data")
