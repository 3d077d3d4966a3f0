"""The statements that look at the rows of more than one user, each for a reason.

All others find what they need in one place, however many the tables are divided among.
"""

from app.services import (
    calls,
    categories,
    contact_tasks,
    contacts,
    deliveries,
    locks,
    log_pruning,
    mirror,
    retention,
    tasks,
    told_moods,
    unfolded,
    webhook_deliveries,
    webhook_events,
    webhook_replays,
)
from app.services.log import ADVANCE, FIRST_AGE, MarkedLog, NumberedLog
from app.services.owners import OWNER_OF

_BY_ID_ALONE = (
    *OWNER_OF.values(),
    *map(locks.OF_ANYBODY.format, OWNER_OF),
    calls._FETCH_OF_ANYBODY,
    contact_tasks._FETCH,
)
_WHY_NOT_FOUND = (tasks._IS_FOREIGN, categories._IS_FOREIGN, categories._OWNERS)
_LISTS = (contacts._LIST, calls._LIST, contact_tasks._LIST, contact_tasks._COUNTED_LIST)
_TAKINGS = (deliveries.taking(mirror.NAME, mirror.INTEREST), webhook_deliveries.TAKING)


def _steps(log: MarkedLog) -> tuple[str, str]:
    return log.next, log.unmark


_LOG = (
    *(NumberedLog(taking).statement for taking in _TAKINGS),
    *(statement for taking in _TAKINGS for statement in _steps(MarkedLog(taking))),
    *(webhook_replays.BOUNDS, webhook_replays.MIDDLE, webhook_replays.COUNT),
    *(ADVANCE, webhook_replays.TELL),
)
_TOLD = (
    *(contacts._FIND, calls._FIND, contact_tasks._FIND),
    *(webhook_events._FETCH, told_moods._DUE),
)
_PURGES = (
    retention._PURGE_TASKS,
    retention._PURGE_REPLAYS,
    log_pruning._FORGET,
    log_pruning._PRUNE,
)
_FIGURES = (FIRST_AGE,)

ACROSS: dict[str, str] = {
    **dict.fromkeys(
        _BY_ID_ALONE,
        "an id whose user nobody knows: a partner's, or it was no row of "
        "the user at hand, who is always tried first",
    ),
    **dict.fromkeys(_WHY_NOT_FOUND, "only to say why there is no such row"),
    **dict.fromkeys(_LISTS, "all contacts, and what is theirs, which partners and the mirror list"),
    **dict.fromkeys(_LOG, "the log of everybody, in the order of writing, which consumers follow"),
    **dict.fromkeys(_TOLD, "what changed of many users, which the worker tells at once"),
    **dict.fromkeys(_PURGES, "what is too old of anybody, about once an hour"),
    **dict.fromkeys(_FIGURES, "metrics: how far the worker is behind"),
    unfolded._FIND: "every text that lacks its fold, part by part of the table",
}
