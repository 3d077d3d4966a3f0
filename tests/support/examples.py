"""A database that has what the examples of the served document name."""

from uuid import UUID

from app.auth.passwords import Passwords
from app.commands.handlers.categories import EXAMPLE_ID as CATEGORY_ID
from app.database.encryption import Cipher
from app.doors import development_values
from app.services import Connection
from app.services.keys import digest
from app.worker.sender import new_secret
from tests.conftest import MISSING_ID
from tests.support.accounts import EMAIL, PASSWORD
from tests.support.people import token_hash

TOKEN = "t0ken"
TASKS = [str(UUID(int=number)) for number in range(1, 1000)]
CATEGORIES = [str(UUID(int=number)) for number in range(1001, 1100)]
KEYS = [str(UUID(int=number)) for number in range(2001, 2100)]
REVOCATIONS = [str(UUID(int=number)) for number in range(4001, 4100)]
CALLS = [str(UUID(int=number)) for number in range(3001, 3100)]
WEBHOOKS = [str(UUID(int=number)) for number in range(5001, 5013)]
"""Enough to delete some and find others."""
HOLDER = "0199d1a8-7c1e-7b1f-9a53-2f6f0d6b7a22"
REFRESH_TOKEN = "0199d1a8" + "5e" * 44
VERIFICATION_TOKEN = "XYdhPBDJUtw4zz-qwmqEZHLa93NwamH3zQzFNcMQ91c"


async def furnish(db: Connection) -> None:
    """What the document's examples name: tasks, a key, a category, people, tokens and a call."""
    await db.execute(
        "INSERT INTO tasks (id, user_id, title) SELECT unnest($1::uuid[]), $2, 'Feed cat'",
        [MISSING_ID, *TASKS],
        HOLDER,
    )
    await db.execute(
        "INSERT INTO user_sessions (user_id, token_hash, expires_at) "
        "VALUES ($2, $1, now() + interval '1 hour')",
        token_hash(TOKEN),
        HOLDER,
    )
    await db.execute(
        "INSERT INTO service_api_keys (key_name, api_key) VALUES ('cat-house-prod', $1)", "0" * 64
    )
    await db.execute(
        "INSERT INTO service_api_keys (id, key_name, api_key) "
        "SELECT id, 'key-' || row_number() OVER (), md5(id::text) || md5(id::text) "
        "FROM unnest($1::uuid[]) AS id",
        KEYS,
    )
    await db.execute(
        "INSERT INTO revocations (id, installation_id, reason, created_by) "
        "SELECT id, 'phone-' || id, 'stolen', 'admin' FROM unnest($1::uuid[]) AS id",
        REVOCATIONS,
    )
    await db.execute(
        "INSERT INTO webhook_endpoints (id, url, events, secret) "
        "SELECT unnest($1::uuid[]), 'https://127.0.0.1:1/hook', '{task.completed}', $2",
        WEBHOOKS,
        Cipher(development_values()["ENCRYPTION_KEY"]).encrypt(new_secret()),
    )
    await db.execute(
        "INSERT INTO categories (id, user_id, name, color) "
        "SELECT id, $2, 'Food ' || id, '#000000' FROM unnest($1::uuid[]) AS id",
        [CATEGORY_ID, *CATEGORIES],
        HOLDER,
    )
    await db.execute(
        "INSERT INTO task_categories (user_id, task_id, category_id) "
        "SELECT user_id, tasks.id, unnest($1::uuid[]) FROM tasks",
        CATEGORIES[::3],  # which leaves room for more
    )
    await db.execute(
        "INSERT INTO contacts (id, name, email, company, user_type) "
        "SELECT unnest($1::uuid[]), 'María', 'maria@example.com', 'Azollon', 'client'",
        [MISSING_ID, HOLDER],
    )
    await db.execute(
        "INSERT INTO calls (id, user_id, title, scheduled_for, duration_minutes) "
        "SELECT unnest($1::uuid[]), $2, 'Onboarding', now(), 30",
        [MISSING_ID, *CALLS],
        HOLDER,
    )
    await db.execute(
        "INSERT INTO accounts (id, email, full_name, password_hash) VALUES ($1, $2, '', $3)",
        HOLDER,
        EMAIL,
        await Passwords().hash(PASSWORD),
    )
    await db.execute(
        "INSERT INTO refresh_tokens (family, user_id, token_hash, expires_at) "
        "VALUES ($1, $2, $3, now() + interval '1 day')",
        REFRESH_TOKEN[:32],
        HOLDER,
        digest(REFRESH_TOKEN),
    )
    await db.execute(
        "INSERT INTO verification_tokens (token_hash, user_id, expires_at) "
        "VALUES ($1, $2, now() + interval '1 day')",
        digest(VERIFICATION_TOKEN),
        HOLDER,
    )
