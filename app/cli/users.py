"""`python -m app users`: all that is kept of a user, shown or removed for good."""

import click
from pydantic import BaseModel

from app.cli.administrator import administrator
from app.cli.database import on_database
from app.cli.models import checked, print_json
from app.models.text import UserId
from app.services import Connection


@click.group(name="users")
def users_group() -> None:
    """Export or purge all that is kept of a user."""


@users_group.command(name="export")
@click.argument("user_id")
def export_user(user_id: str) -> None:
    """Print everything kept of the user as one JSON document, secrets left out or masked."""
    from app.commands.action import Context  # noqa: PLC0415 - only this group needs it
    from app.commands.handlers.users import ExportUser, export_user  # noqa: PLC0415

    _require_user_id(user_id)

    async def write(db: Connection) -> None:
        part = await export_user.run(Context(db, user_id, author=administrator()), ExportUser())
        click.echo(part.text, nl=False)
        while part.rest is not None:
            part = await part.rest(db)
            click.echo(part.text, nl=False)
        click.echo()

    on_database(write)


@users_group.command(name="purge")
@click.argument("user_id")
@click.confirmation_option(prompt="Remove everything of this user for good?")
def purge_user(user_id: str) -> None:
    """Remove everything of the user for good, and print what it was."""
    from app.commands.action import Context  # noqa: PLC0415 - only this group needs it
    from app.commands.handlers.users import PurgeUser, purge_user  # noqa: PLC0415

    _require_user_id(user_id)
    author = administrator()
    print_json(
        on_database(lambda db: purge_user.run(Context(db, user_id, author=author), PurgeUser()))
    )


class _Named(BaseModel):
    user_id: UserId


def _require_user_id(user_id: str) -> None:
    checked(_Named, {"user_id": user_id})
