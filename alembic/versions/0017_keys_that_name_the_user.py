"""Every key of a user's rows names the user, so that tables may be divided by user.

Where rows are looked up by id alone, the id comes first.
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_KEYS = {
    "tasks": ("id", "id, user_id"),
    "categories": ("id", "id, user_id"),
    "calls": ("id", "id, user_id"),
    "contacts": ("id", "id, user_id"),
    "changes": ("position", "position, user_id"),
    "task_categories": ("task_id, category_id", "task_id, category_id, user_id"),
}
_LINKS = {"tasks": "task", "categories": "category"}


def _index(table: str, columns: str) -> str:
    return f"CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS {table}_key ON {table} ({columns})"


def _link(table: str, name: str, columns: str = "{}_id, user_id", key: str = "id, user_id") -> str:
    return f"""
        DO $do$
        BEGIN
            ALTER TABLE task_categories ADD CONSTRAINT task_categories_{name}
                FOREIGN KEY ({columns.format(name)}) REFERENCES {table} ({key})
                ON DELETE CASCADE NOT VALID;
        EXCEPTION WHEN duplicate_object THEN NULL;
        END
        $do$
    """


def _validation(name: str) -> str:
    return f"ALTER TABLE task_categories VALIDATE CONSTRAINT task_categories_{name}"


# What takes long on large tables: none of it keeps anybody from reading or writing, each by itself.
BEFOREHAND = (
    *(_index(table, key) for table, (_, key) in _KEYS.items()),
    *(_link(table, name) for table, name in _LINKS.items()),
    *map(_validation, _LINKS.values()),
)


def _within(statements: tuple[str, ...]) -> None:
    """In the transaction, where there is nothing to wait for, or it was done beforehand."""
    for statement in statements:
        op.execute(statement.replace(" CONCURRENTLY", ""))


def _replace_key(table: str) -> None:
    op.execute(f"""
        ALTER TABLE {table}
            DROP CONSTRAINT {table}_pkey,
            ADD CONSTRAINT {table}_pkey PRIMARY KEY USING INDEX {table}_key
    """)


def upgrade() -> None:
    _within(BEFOREHAND)
    for name in _LINKS.values():
        op.execute(f"ALTER TABLE task_categories DROP CONSTRAINT task_categories_{name}_id_fkey")
    for table in _KEYS:
        _replace_key(table)
    # Of a contact, which is its own owner, the service writes it. The code before leaves it out.
    op.execute("ALTER TABLE contacts ALTER COLUMN user_id DROP EXPRESSION")
    op.execute("""
        CREATE FUNCTION own_contact() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.user_id := NEW.id::text;
            RETURN NEW;
        END
        $$
    """)
    op.execute("""
        CREATE TRIGGER own_contact BEFORE INSERT ON contacts
            FOR EACH ROW WHEN (NEW.user_id IS NULL) EXECUTE FUNCTION own_contact()
    """)


def downgrade() -> None:
    _generate_users_of_contacts()
    for name in _LINKS.values():
        op.execute(f"ALTER TABLE task_categories DROP CONSTRAINT task_categories_{name}")
    for table, (key, _) in _KEYS.items():
        op.execute(f"CREATE UNIQUE INDEX {table}_key ON {table} ({key})")
        _replace_key(table)
    for table, name in _LINKS.items():
        op.execute(_link(table, f"{name}_id_fkey", f"{name}_id", "id"))
        op.execute(_validation(f"{name}_id_fkey"))


def _generate_users_of_contacts() -> None:
    """A column becomes generated only in a table that is made with it."""
    op.execute("ALTER TABLE calls DROP CONSTRAINT calls_user_id_fkey")
    op.execute("CREATE SCHEMA written")
    op.execute("ALTER TABLE contacts SET SCHEMA written")
    op.execute("""
        CREATE TABLE contacts (
            id UUID DEFAULT uuid_v7() CONSTRAINT contacts_pkey PRIMARY KEY,
            user_id VARCHAR(255) NOT NULL GENERATED ALWAYS AS (id::text) STORED
                CONSTRAINT contacts_user_id_key UNIQUE,
            name VARCHAR(100) NOT NULL,
            email VARCHAR(320) NOT NULL,
            company VARCHAR(100) NOT NULL,
            user_type VARCHAR(20) NOT NULL,
            notes VARCHAR(500),
            created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
            updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
        )
    """)
    op.execute("""
        INSERT INTO contacts
            (id, name, email, company, user_type, notes, created_at, updated_at)
        SELECT id, name, email, company, user_type, notes, created_at, updated_at
        FROM written.contacts
    """)
    op.execute("CREATE INDEX contacts_newest ON contacts (created_at DESC, id DESC)")
    _grant_as_before()
    op.execute("DROP TABLE written.contacts")
    op.execute("DROP SCHEMA written")
    op.execute("DROP FUNCTION own_contact()")
    op.execute("""
        ALTER TABLE calls ADD CONSTRAINT calls_user_id_fkey
            FOREIGN KEY (user_id) REFERENCES contacts (user_id)
    """)


def _grant_as_before() -> None:
    op.execute("""
        DO $do$
        DECLARE given record;
        BEGIN
            FOR given IN
                SELECT privilege_type AS kind,
                    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS role
                FROM pg_class, aclexplode(relacl)
                WHERE oid = 'written.contacts'::regclass
                    AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
            LOOP
                EXECUTE format('GRANT %s ON contacts TO %s', given.kind, given.role);
            END LOOP;
        END
        $do$
    """)
