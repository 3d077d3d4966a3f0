"""`python -m app revocations`: who is refused at once."""

from uuid import UUID

import click

from app.cli.administrator import administrator
from app.cli.database import on_database
from app.cli.models import minute, print_json, print_lines, validated
from app.models.page import MAX_LIMIT
from app.models.revocation import NewRevocation, Revocation
from app.services import administration, revocations


@click.group(name="revocations")
def revocations_group() -> None:
    """Refuse users, installations and keys at once, and let them in again."""


@revocations_group.command(name="create")
@click.option("--user-id", help="Whoever acts for this user.")
@click.option("--installation-id", help="Whatever this installation sends.")
@click.option("--key-name", help="Whoever comes with a key of this name.")
@click.option("--reason", required=True, help="For administrators.")
@click.option("--until", help="ISO 8601 with a zone, else UTC. Without it: until it is lifted.")
def create_revocation(**options: object) -> None:
    """Refuse what matches all that is named, within a second, and print what was made."""
    new, author = validated(NewRevocation, options), administrator()
    print_json(on_database(lambda db: administration.revoke(db, author, new)))


@revocations_group.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, with all there is.")
def list_revocations(*, as_json: bool) -> None:
    """Print the 500 newest revocations."""
    page = on_database(lambda db: revocations.list_revocations(db, None, MAX_LIMIT))
    listed = page.revocations
    print_lines(listed, as_json=as_json, table=[_HEADINGS, *map(_row, listed)])


@revocations_group.command(name="lift")
@click.argument("revocation_id", type=click.UUID)
def lift_revocation(revocation_id: UUID) -> None:
    """Let in again what the revocation with this id refused."""
    author = administrator()
    on_database(lambda db: administration.lift_revocation(db, author, revocation_id))
    click.echo(f"Lifted {revocation_id}.")


_HEADINGS = ("USER", "INSTALLATION", "KEY", "UNTIL", "CREATED", "BY", "REASON", "ID")


def _row(one: Revocation) -> tuple[str, ...]:
    return (
        one.user_id or "any",
        one.installation_id or "any",
        one.key_name or "any",
        "it is lifted" if one.until is None else minute(one.until),
        minute(one.created_at),
        one.created_by,
        one.reason,
        str(one.id),
    )
