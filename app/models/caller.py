"""Who is asking, whatever credential said so."""

from dataclasses import dataclass
from typing import Literal

CallerKind = Literal["service", "admin", "user", "delegate", "partner"]
"""A service key, the administrator, a person, a service in a person's name, or an API key."""

SERVICES: frozenset[CallerKind] = frozenset({"service"})
PEOPLE: frozenset[CallerKind] = frozenset({"user", "delegate"})
"""Who acts in the name of one person only."""


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    `scopes` is None where everything is allowed. `enforce_ownership` makes other users' tasks
    invisible to it. `user_id` is the one person it speaks for, empty where it names one each time.
    """

    kind: CallerKind
    name: str
    scopes: frozenset[str] | None = None
    enforce_ownership: bool = False
    user_id: str = ""

    def holds(self, *scopes: str) -> bool:
        """Whether any one of the scopes was granted."""
        return self.scopes is None or not self.scopes.isdisjoint(("*", *scopes))
