"""A wave of 503s in the log: its first request at level warning, and then how many there are."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from app.logs import logger

_INTERVAL = 10.0


class Refusals:
    """Takes the lines of requests that were answered 503, so that an outage is not one for each.

    A wave ends with an interval in which there was none. At level DEBUG every line is there.
    """

    def __init__(self) -> None:
        self._logger = logger.bind()
        self._reasons: Counter[str] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, entry: Mapping[str, Any], label: str) -> None:
        """Logs the first of a wave, and counts the others by reason or, without one, by route."""
        if self._timer is None:
            self._logger.warning("request", **entry)
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._sum_up)
        else:
            self._logger.debug("request", **entry)
            self._reasons[entry.get("reason", label)] += 1

    def _sum_up(self) -> None:
        self._timer = None
        if self._reasons:
            self.tell()
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._sum_up)

    def tell(self) -> None:
        """Logs how many there were since the last time, if any."""
        if self._reasons:
            requests = self._reasons.total()
            self._logger.warning("requests_refused", requests=requests, reasons=dict(self._reasons))
            self._reasons.clear()
