"""Statistics, counted by the database in one statement so that they never disagree."""

from app.models.stats import Stats
from app.services import Connection

_COUNT = """
SELECT total_tasks, pending_tasks, in_progress_tasks, completed_tasks,
    coalesce(round(100.0 * completed_tasks / nullif(total_tasks, 0), 2), 0)::float8
        AS completion_rate,
    overdue_tasks
FROM (
    SELECT
        count(*) AS total_tasks,
        count(*) FILTER (WHERE status = 'pending') AS pending_tasks,
        count(*) FILTER (WHERE status = 'in_progress') AS in_progress_tasks,
        count(*) FILTER (WHERE status = 'completed') AS completed_tasks,
        count(*) FILTER (WHERE status <> 'completed' AND due_date < now()) AS overdue_tasks
    FROM tasks
    WHERE user_id = $1 AND deleted_at IS NULL AND status <> 'cancelled'
) AS counted
"""


async def count_tasks(db: Connection, user_id: str) -> Stats:
    """The six figures of one user; all zero for a user without tasks."""
    row = await db.fetchrow(_COUNT, user_id)
    assert row is not None  # noqa: S101 - an aggregate always returns one row
    return Stats.model_construct(**row)
