"""What administrators revoked, as every worker knows it within a second."""

import asyncio
import math
from datetime import UTC, datetime
from itertools import product
from time import monotonic

from app.database import Database
from app.errors import Revoked
from app.services.revocations import UNKNOWN, News, Rule, fetch_news
from app.state import Resources

_LIFETIME = 0.8
# Longer than what looks up keys remembers one: a command whose key was known asks nothing more.
_LONGEST_LIFETIME = 0.9


class Revocations:
    """The live revocations, of which most workers most of the time have none.

    They come along with each look-up of a service key; who comes without a key has them asked for.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._rules: dict[Rule, float | None] = {}
        self._asked_at = -math.inf
        self._asking: tuple[float, asyncio.Task[None]] | None = None
        self.version = UNKNOWN

    def note(self, news: News, asked_at: float) -> None:
        """Takes over what a look-up found that was begun at this time of the monotonic clock."""
        if asked_at < self._asked_at:
            return
        self._asked_at = asked_at
        if news.rules is not None:
            self.version, self._rules = news.version, dict(news.rules)

    def forget(self) -> None:
        """Has the next one who needs them ask: something is known to be new."""
        self._asked_at, self._asking = -math.inf, None

    @property
    def is_due(self) -> bool:
        """Whether they must be asked for before anybody relies on them."""
        return monotonic() - self._asked_at > _LONGEST_LIFETIME

    async def refresh(self) -> None:
        """Asks what is new; who comes meanwhile waits for the same answer."""
        now = monotonic()
        if self._asking is None or self._asking[0] + _LIFETIME <= now:
            self._asking = (now, asyncio.create_task(self._ask(now)))
        try:
            await asyncio.shield(self._asking[1])
        except BaseException:
            self._asking = None
            raise

    async def _ask(self, now: float) -> None:
        async with self._resources[Database].connection() as db:
            self.note(await fetch_news(db, self.version), now)

    def check(self, user_id: str | None, installation_id: str | None, key_name: str | None) -> None:
        """Revoked where a live revocation names nothing but what is here."""
        if not self._rules:
            return
        named = product((None, user_id), (None, installation_id), (None, key_name))
        now = datetime.now(UTC).timestamp()
        for rule in set(named):
            if rule in self._rules and ((until := self._rules[rule]) is None or until > now):
                raise Revoked
