"""Accounts, their tokens, and the categories that any user may sort tasks into."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        CREATE TABLE accounts (
            id UUID PRIMARY KEY DEFAULT uuid_v7(),
            email VARCHAR(254) NOT NULL,
            password_hash VARCHAR(255) NOT NULL,
            full_name VARCHAR(200) NOT NULL,
            is_active BOOLEAN NOT NULL DEFAULT false,
            failed_logins SMALLINT NOT NULL DEFAULT 0,
            locked_until TIMESTAMPTZ,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        COMMENT ON COLUMN accounts.password_hash IS
            'argon2id; a bcrypt hash of an older table works too and is replaced at the next login'
    """)
    op.execute("CREATE UNIQUE INDEX accounts_email ON accounts (lower(email))")
    # One row a family: token_hash is the SHA-256 of its latest token.
    op.execute("""
        CREATE TABLE refresh_tokens (
            family UUID PRIMARY KEY,
            user_id UUID NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
            token_hash VARCHAR(64) NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            expires_at TIMESTAMPTZ NOT NULL,
            revoked_at TIMESTAMPTZ
        )
    """)
    op.execute("CREATE INDEX refresh_tokens_user_id ON refresh_tokens (user_id)")
    op.execute("""
        CREATE TABLE verification_tokens (
            token_hash VARCHAR(64) PRIMARY KEY,
            user_id UUID NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            expires_at TIMESTAMPTZ NOT NULL
        )
    """)
    op.execute("CREATE INDEX verification_tokens_user_id ON verification_tokens (user_id)")
    op.execute("""
        CREATE TABLE categories (
            user_id VARCHAR(255) NOT NULL,
            id UUID PRIMARY KEY DEFAULT uuid_v7(),
            name VARCHAR(50) NOT NULL,
            color VARCHAR(7) NOT NULL,
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            CONSTRAINT categories_name UNIQUE (user_id, name)
        )
    """)
    # In the order in which a deleted task looks for its rows.
    op.execute("""
        CREATE TABLE task_categories (
            user_id VARCHAR(255) NOT NULL,
            task_id UUID NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
            category_id UUID NOT NULL REFERENCES categories (id) ON DELETE CASCADE,
            PRIMARY KEY (task_id, category_id)
        )
    """)
    op.execute("CREATE INDEX task_categories_category_id ON task_categories (category_id)")


def downgrade() -> None:
    op.execute("DROP TABLE task_categories")
    op.execute("DROP TABLE categories")
    op.execute("DROP TABLE verification_tokens")
    op.execute("DROP TABLE refresh_tokens")
    op.execute("DROP TABLE accounts")
