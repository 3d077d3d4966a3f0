from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.models.stats import Stats
from app.services import Connection, stats
from tests.conftest import TaskFactory


async def test_user_without_tasks_has_all_zeros(db: Connection) -> None:
    assert await stats.count_tasks(db, "nobody") == Stats(
        total_tasks=0,
        pending_tasks=0,
        in_progress_tasks=0,
        completed_tasks=0,
        completion_rate=0.0,
        overdue_tasks=0,
    )


async def test_counts_by_status_and_overdue(db: Connection, make_task: TaskFactory) -> None:
    await make_task(due_date="2020-01-01T00:00:00Z")
    await make_task(status="in_progress", due_date="9000-01-01T00:00:00Z")
    await make_task(status="completed", due_date="2020-01-01T00:00:00Z")
    await make_task(user_id="another")
    assert await stats.count_tasks(db, "user_123") == Stats(
        total_tasks=3,
        pending_tasks=1,
        in_progress_tasks=1,
        completed_tasks=1,
        completion_rate=33.33,
        overdue_tasks=1,
    )


async def test_cancelled_and_deleted_tasks_are_counted_nowhere(
    db: Connection, make_task: TaskFactory
) -> None:
    await make_task()
    for change in ("status = 'cancelled'", "deleted_at = now()"):
        task = await make_task(due_date="2020-01-01T00:00:00Z")
        await db.execute(f"UPDATE tasks SET {change} WHERE id = $1", task.id)
    counted = await stats.count_tasks(db, "user_123")
    assert (counted.total_tasks, counted.pending_tasks, counted.overdue_tasks) == (1, 1, 0)


@given(completed=st.integers(0, 40), pending=st.integers(0, 40))
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_completion_rate_is_the_percentage_with_two_decimals(
    db: Connection, completed: int, pending: int
) -> None:
    async with db.transaction():
        await db.execute("DELETE FROM tasks WHERE user_id = 'rated'")
        await db.execute(
            """
            INSERT INTO tasks (user_id, title, status)
            SELECT 'rated', 't', CASE WHEN n <= $1 THEN 'completed' ELSE 'pending' END
            FROM generate_series(1, $2::int) AS n
            """,
            completed,
            completed + pending,
        )
        rate = (await stats.count_tasks(db, "rated")).completion_rate
    expected = 100 * completed / (completed + pending) if completed + pending else 0.0
    assert abs(rate - expected) <= 0.005 + 1e-9
    assert rate == round(rate, 2)
