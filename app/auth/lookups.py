"""What the database says of a credential, remembered for less than a second."""

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Generic, TypeVar

from prometheus_client import Counter

Found = TypeVar("Found")

_LIFETIME = 0.8
_CAPACITY = 1024


class Lookups(Generic[Found]):
    """Findings by the text that was looked up.

    What was revoked is therefore refused by every worker within a second, and requests that arrive
    together share one look-up. Only what is found is remembered: what is new works at once.
    """

    def __init__(
        self,
        look_up: Callable[[str], Coroutine[Any, Any, Found | None]],
        hits: Counter,
        misses: Counter,
    ) -> None:
        self._look_up, self._hits, self._misses = look_up, hits, misses
        self._lookups: dict[str, tuple[float, asyncio.Task[Found | None]]] = {}

    def __len__(self) -> int:
        return len(self._lookups)

    async def find(self, text: str) -> Found | None:
        """What is found, now or just before; None where nothing is."""
        now = monotonic()
        expires_at, lookup = self._lookups.get(text, (0.0, None))
        if lookup is None or expires_at <= now:
            lookup = asyncio.create_task(self._look_up(text))
            self._misses.inc()
            self._make_room(now)
            self._lookups[text] = (now + _LIFETIME, lookup)
        else:
            self._hits.inc()
        if lookup.done() and not lookup.cancelled() and lookup.exception() is None:
            return lookup.result()
        try:
            found = await asyncio.shield(lookup)
        except BaseException:
            self._forget(text, lookup)
            raise
        if found is None:
            self._forget(text, lookup)
        return found

    def _forget(self, text: str, lookup: "asyncio.Task[Found | None]") -> None:
        if self._lookups.get(text, (0.0, None))[1] is lookup:
            del self._lookups[text]

    def _make_room(self, now: float) -> None:
        if len(self._lookups) >= _CAPACITY:
            self._lookups = {text: entry for text, entry in self._lookups.items() if entry[0] > now}
        if len(self._lookups) >= _CAPACITY:
            self._lookups.clear()
