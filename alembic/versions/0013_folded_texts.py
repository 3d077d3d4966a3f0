"""Texts of tasks as they are searched and ordered, which is the same whatever the locale."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Null beside ASCII, and beside what an earlier version wrote. A fold counts only while the
    # hash is its text's: an earlier version, which writes the text alone, makes it void.
    op.execute("""
        ALTER TABLE tasks
            ADD COLUMN folded_title TEXT COLLATE "C",
            ADD COLUMN title_key TEXT COLLATE "C",
            ADD COLUMN title_hash INTEGER,
            ADD COLUMN folded_description TEXT COLLATE "C",
            ADD COLUMN description_hash INTEGER
    """)
    # One row: how far the workers have come with folding what is there, and when they look again.
    op.execute("""
        CREATE TABLE text_folding (
            next_block BIGINT NOT NULL DEFAULT 0,
            since TIMESTAMPTZ NOT NULL DEFAULT now(),
            due_at TIMESTAMPTZ NOT NULL DEFAULT now()
        )
    """)
    op.execute("INSERT INTO text_folding DEFAULT VALUES")


def downgrade() -> None:
    op.execute("DROP TABLE text_folding")
    op.execute("""
        ALTER TABLE tasks
            DROP COLUMN folded_title,
            DROP COLUMN title_key,
            DROP COLUMN title_hash,
            DROP COLUMN folded_description,
            DROP COLUMN description_hash
    """)
