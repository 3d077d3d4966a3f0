"""What partners send, and a world that is full of contacts."""

from httpx import Response

from app.doors import development_values
from app.services import Connection

KEY = development_values()["TASK_API_KEY"]
HEADERS = {"X-API-Key": KEY}
USER = {
    "name": "María García",
    "email": "maria@test-azollon.com",
    "company": "Test Azollon",
    "user_type": "client",
    "notes": "New client from PyCon demo",
}
CALL = {"title": "Onboarding", "scheduled_for": "2025-10-25T10:00:00Z"}

_FILL = """
WITH users AS (
    INSERT INTO contacts (name, email, company, user_type, created_at)
    SELECT 'User ' || n, 'user@example.com', 'Company', 'client', instant
    FROM generate_series(1, $1) AS n, make_interval(secs => n / 7) AS age,
        timestamptz(now() - age) AS instant
    RETURNING user_id, created_at
), planned AS (
    INSERT INTO calls (user_id, title, scheduled_for, duration_minutes, created_at)
    SELECT user_id, 'Call', now(), 30, created_at FROM users
)
INSERT INTO tasks (user_id, title, created_at) SELECT user_id, 'Task', created_at FROM users
"""


async def fill(db: Connection, count: int) -> None:
    """Stores so many users, each with a call and a task, up to seven at the same instant."""
    await db.execute(_FILL, count)


def assert_refused(answer: Response, status: int, message: str) -> None:
    assert answer.status_code == status
    assert answer.json() == {"success": False, "message": message}
