"""What a service key may be limited to, derived from the registry."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.commands.registry import commands
from app.models.key import KeyChanges, KeyRotation, NewKey

_NAMES = {name for one in commands() if one.scope for name in (one.scope, one.name)}
SCOPES = ("*", *sorted(_NAMES))
Scope: Any = Literal[SCOPES]
Scopes = Annotated[list[Scope], Field(min_length=1, max_length=len(SCOPES))]


class NewServiceKey(NewKey):
    """A service key to mint."""

    scopes: Annotated[
        Scopes | None, Field(description="Absent: everything is allowed, but for `users:…`.")
    ] = None


class ServiceKeyRotation(KeyRotation):
    """Names the key to rotate, and says how long it and its successor work.

    What is absent or null of the limits is as the old key has it.
    """

    scopes: Scopes | None = None


class ServiceKeyChanges(KeyChanges):
    """The members of a key to overwrite, one at least; null clears one, an absent one stays."""

    scopes: Annotated[
        Scopes | None, Field(description="Null: everything is allowed, but for `users:…`.")
    ] = None
