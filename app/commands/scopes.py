"""What a service key may be limited to, derived from the registry."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.commands.registry import commands
from app.models.key import NewKey

_NAMES = {name for one in commands() if one.scope for name in (one.scope, one.name)}
SCOPES = ("*", *sorted(_NAMES))
Scope: Any = Literal[SCOPES]


class NewServiceKey(NewKey):
    """A service key to mint."""

    scopes: Annotated[
        list[Scope] | None,
        Field(min_length=1, max_length=len(SCOPES), description="Absent: everything is allowed."),
    ] = None
