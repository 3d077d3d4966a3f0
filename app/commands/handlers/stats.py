"""What Cat House asks about a user's progress."""

from pydantic import BaseModel

from app.commands.action import Context, action
from app.models.caller import ADMINISTRATORS, SERVICES
from app.models.stats import Stats
from app.services import stats


class GetStats(BaseModel):
    """Empty: the figures are the user's."""


@action(scope="stats:read", replicable=True, allow=SERVICES | ADMINISTRATORS, examples=({},))
async def get_stats(context: Context, payload: GetStats) -> Stats:
    """Returns counts of the user's tasks by status, the completion rate and the overdue count.

    The figures come from one instant and always add up; cancelled tasks are not counted.
    """
    return await stats.count_tasks(context.db, context.user_id)
