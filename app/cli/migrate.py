"""The schema, from the command line."""

import click

from app.cli.errors import clear_errors
from app.config import load
from app.config.process import ProcessSettings


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when the schema is behind.")
def migrate(check: bool) -> None:
    """Bring the database's schema up to date, and say what was done.

    An empty database gets the schema, that of the published original is adopted with its tasks and
    keys. An older version works on the schema of a newer one: going back takes no migration.
    """
    click.echo(migrate_database(load(ProcessSettings), check=check))


def migrate_database(settings: ProcessSettings, *, check: bool = False) -> str:
    """Migrates, or only checks, and returns what there is to say; one clear line if it cannot."""
    from app.database import migrations  # noqa: PLC0415 - SQLAlchemy is large, serving does without it

    url = (settings.migration_database_url or settings.database_url).get_secret_value()
    with clear_errors():
        return migrations.check(url) if check else migrations.upgrade(url)
