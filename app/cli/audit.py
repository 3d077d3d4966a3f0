"""`python -m app audit`: what administrators did."""

from uuid import UUID

import click

from app.cli.database import on_database
from app.cli.models import minute, print_lines
from app.models.audit import TrailEntry
from app.models.page import MAX_LIMIT
from app.services import audit


@click.command(name="audit")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=100, show_default=True)
@click.option("--cursor", type=click.UUID, help="The id of an act: go on with those before it.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, with all there is.")
def print_trail(limit: int, cursor: UUID | None, *, as_json: bool) -> None:
    """Print what administrators did, newest first."""
    trail = on_database(lambda db: audit.list_acts(db, cursor, limit))
    print_lines(trail.acts, as_json=as_json, table=[_HEADINGS, *map(_row, trail.acts)])


_HEADINGS = ("WHEN", "WHO", "ACT", "OBJECT", "FROM", "ID")


def _row(act: TrailEntry) -> tuple[str, ...]:
    when, where = minute(act.occurred_at), act.address or "?"
    return when, act.administrator, act.act, act.object, where, str(act.id)
