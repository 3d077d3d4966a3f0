"""Where a change came from."""

from typing import NamedTuple
from uuid import UUID, uuid4

from app.models.caller import CallerKind


class Origin(NamedTuple):
    """Who sent a command, from which installation, under which id, and as part of what.

    `keeps_content` is false where nothing that is overwritten may be kept, not even for undo.
    """

    kind: CallerKind
    name: str
    installation_id: str | None = None
    command_id: str | None = None
    batch_id: UUID | None = None
    keeps_content: bool = True

    @property
    def together(self) -> "Origin":
        """The same for a command whose changes are undone together."""
        return self if self.batch_id else self._replace(batch_id=uuid4())


PLATFORM = Origin("service", "platform")
"""Who calls without a request: a script, a test, a shell."""
