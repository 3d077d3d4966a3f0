"""Accounts that were deactivated, told from those not verified yet; how far a first answer saw."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE accounts ADD COLUMN deactivated_at TIMESTAMPTZ")
    op.execute("""
        COMMENT ON COLUMN accounts.deactivated_at IS
            'While set, the account opens nothing; a trigger sets it as is_active becomes false'
    """)
    op.execute("""
        CREATE FUNCTION note_deactivation() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.deactivated_at := CASE WHEN NOT NEW.is_active THEN now() END;
            RETURN NEW;
        END
        $$
    """)
    op.execute("""
        CREATE TRIGGER note_deactivation BEFORE UPDATE OF is_active ON accounts
            FOR EACH ROW WHEN (OLD.is_active <> NEW.is_active)
            EXECUTE FUNCTION note_deactivation()
    """)
    op.execute("ALTER TABLE replays ADD COLUMN across_owners BOOLEAN")
    op.execute("""
        COMMENT ON COLUMN replays.across_owners IS
            'Whether the command could reach what belongs to others; null where nobody noted it'
    """)


def downgrade() -> None:
    op.execute("ALTER TABLE replays DROP COLUMN across_owners")
    op.execute("DROP TRIGGER note_deactivation ON accounts")
    op.execute("DROP FUNCTION note_deactivation()")
    op.execute("ALTER TABLE accounts DROP COLUMN deactivated_at")
