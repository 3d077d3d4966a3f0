"""Who is asking, whatever credential said so."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

CallerKind = Literal["service", "admin", "user", "delegate", "partner"]
"""A service key, the administrator, a person, a service in a person's name, or an API key."""

SERVICES: frozenset[CallerKind] = frozenset({"service"})
ADMINISTRATORS: frozenset[CallerKind] = frozenset({"admin"})
PEOPLE: frozenset[CallerKind] = frozenset({"user", "delegate"})
"""Who acts in the name of one person only."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    `scopes` is None where everything is allowed. `enforce_ownership` makes other users' tasks
    invisible to it. `user_id` is the one person it speaks for, empty where it names one each time.
    A service key has an id, and may have a rate limit of its own and the only users it acts for.
    """

    kind: CallerKind
    name: str
    scopes: frozenset[str] | None = None
    enforce_ownership: bool = False
    user_id: str = ""
    key_id: UUID | None = None
    rate_limit: str | None = None
    user_ids: frozenset[str] | None = None

    def holds(self, *scopes: str, by_name: bool = False) -> bool:
        """Whether any one of the scopes was granted; in so many words, where it must be by name."""
        if by_name:
            return self.scopes is not None and not self.scopes.isdisjoint(scopes)
        return self.scopes is None or not self.scopes.isdisjoint(("*", *scopes))

    def acts_for(self, user_id: str) -> bool:
        """Whether it may act for this user."""
        return self.user_ids is None or user_id in self.user_ids
