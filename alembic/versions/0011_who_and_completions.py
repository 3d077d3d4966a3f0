"""Who changed what from what; completions; calls and contacts out of the count of tasks.

What takes long locks nothing, and what locks takes no time: the code before goes on writing.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE completions (
            user_id VARCHAR(255) NOT NULL,
            task_id UUID NOT NULL,
            completed_at TIMESTAMPTZ NOT NULL,
            due_date TIMESTAMPTZ,
            reopened_at TIMESTAMPTZ,
            PRIMARY KEY (user_id, task_id, completed_at)
        )
    """)
    op.execute("CREATE TEMPORARY TABLE carried ON COMMIT DROP AS SELECT max(position) FROM changes")
    _carry("")
    _note_completions()
    # From here on nobody writes. What was written since is among the latest changes; those that
    # were under way at the beginning are a few positions before.
    recent = "id IN (SELECT entity_id FROM changes, carried WHERE position > max - 10000)"
    op.execute(f"""
        UPDATE completions SET reopened_at = updated_at FROM tasks
        WHERE {recent} AND task_id = id AND completions.user_id = tasks.user_id
            AND completions.completed_at IS DISTINCT FROM tasks.completed_at
    """)  # noqa: S608
    _carry(f"AND {recent}")
    op.execute("DROP TABLE carried")
    op.execute("""
        ALTER TABLE change_counts
            ADD COLUMN last_changed_at TIMESTAMPTZ,
            ADD COLUMN other_changes BIGINT NOT NULL DEFAULT 0
    """)
    op.execute("""
        ALTER TABLE changes
            ALTER COLUMN sequence DROP NOT NULL,
            ADD COLUMN transition VARCHAR(20),
            ADD COLUMN by_kind VARCHAR(20),
            ADD COLUMN by_name VARCHAR(255),
            ADD COLUMN installation_id VARCHAR(255),
            ADD COLUMN command_id VARCHAR(255),
            ADD COLUMN batch_id UUID,
            ADD COLUMN undo_of BIGINT,
            ADD COLUMN before JSONB
    """)
    for column, meaning in (
        ("sequence", "Counts the changes of the tasks of a user; null for calls and contacts"),
        ("transition", "Whether the task was completed or reopened thereby"),
        ("batch_id", "Shared by the changes that one command made together"),
        ("undo_of", "The first change of a chain in which each undoes the one before"),
        ("before", "What was overwritten, for as long as it can be undone"),
    ):
        op.execute(f"COMMENT ON COLUMN changes.{column} IS '{meaning}'")


def _carry(condition: str) -> None:
    op.execute(f"""
        INSERT INTO completions (user_id, task_id, completed_at, due_date)
        SELECT user_id, id, coalesce(completed_at, updated_at), due_date FROM tasks
        WHERE status = 'completed' {condition}
        ON CONFLICT DO NOTHING
    """)  # noqa: S608


def _note_completions() -> None:
    # By a trigger, so that whoever writes tasks notes it: the code before, or somebody by hand.
    # A completion that stands is not noted twice: an undo has brought it back.
    op.execute("""
        CREATE FUNCTION note_completion() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.status = 'completed' THEN
                INSERT INTO completions (user_id, task_id, completed_at, due_date)
                SELECT NEW.user_id, NEW.id, coalesce(NEW.completed_at, NEW.updated_at), NEW.due_date
                WHERE NOT EXISTS (
                    SELECT FROM completions
                    WHERE user_id = NEW.user_id AND task_id = NEW.id AND reopened_at IS NULL
                )
                ON CONFLICT (user_id, task_id, completed_at) DO UPDATE SET reopened_at = NULL;
            ELSE
                UPDATE completions SET reopened_at = NEW.updated_at
                WHERE user_id = NEW.user_id AND task_id = NEW.id AND reopened_at IS NULL;
            END IF;
            RETURN NULL;
        END
        $$
    """)
    op.execute("""
        CREATE TRIGGER note_created_completion AFTER INSERT ON tasks
            FOR EACH ROW WHEN (NEW.status = 'completed') EXECUTE FUNCTION note_completion()
    """)
    op.execute("""
        CREATE TRIGGER note_completion AFTER UPDATE OF status ON tasks
            FOR EACH ROW WHEN ((OLD.status = 'completed') <> (NEW.status = 'completed'))
            EXECUTE FUNCTION note_completion()
    """)


def downgrade() -> None:
    op.execute("DROP TRIGGER note_completion ON tasks")
    op.execute("DROP TRIGGER note_created_completion ON tasks")
    op.execute("DROP FUNCTION note_completion()")
    op.execute("DROP TABLE completions")
    # The code before has one count for all kinds.
    op.execute("UPDATE changes SET sequence = -position WHERE sequence IS NULL")
    op.execute("""
        ALTER TABLE changes
            ALTER COLUMN sequence SET NOT NULL,
            DROP COLUMN transition,
            DROP COLUMN by_kind,
            DROP COLUMN by_name,
            DROP COLUMN installation_id,
            DROP COLUMN command_id,
            DROP COLUMN batch_id,
            DROP COLUMN undo_of,
            DROP COLUMN before
    """)
    op.execute("COMMENT ON COLUMN changes.sequence IS NULL")
    op.execute("ALTER TABLE change_counts DROP COLUMN last_changed_at, DROP COLUMN other_changes")
