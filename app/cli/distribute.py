"""`python -m app database`: what is done to the database as a whole, beside its schema."""

import click

from app.cli.database import on_database
from app.services import Connection


@click.group(name="database")
def database_group() -> None:
    """Divide the database among several machines."""


@database_group.command(name="distribute")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when something is in the way.")
def distribute_tables(check: bool) -> None:
    """Divide what belongs to users among the nodes of a Citus coordinator, by user.

    What is divided already stays. Run it after each `migrate`; it connects as that does.
    """
    if check:
        _check()
        return
    from app.database.delegation import delegate  # noqa: PLC0415 - the other commands do without it
    from app.database.distribution import distribute  # noqa: PLC0415

    divided = on_database(distribute, migrating=True)
    delegated = on_database(delegate, migrating=True)
    click.echo(f"divided: {', '.join(divided)}" if divided else "all is divided")
    if delegated:
        click.echo(f"delegated: {', '.join(delegated)}. Restart the service, which looks for them.")


def _check() -> None:
    from app.database.delegation import find_undelegated  # noqa: PLC0415
    from app.database.distribution import find_obstacles, find_undivided  # noqa: PLC0415

    async def ask(db: Connection) -> tuple[list[str], list[str], list[str]]:
        if obstacles := await find_obstacles(db):
            return obstacles, [], []
        return [], await find_undivided(db), [one.name for one in await find_undelegated(db)]

    obstacles, undivided, undelegated = on_database(ask, migrating=True)
    if obstacles:
        raise click.ClickException("\n".join(obstacles))
    click.echo(f"to be divided: {', '.join(undivided)}" if undivided else "all is divided")
    if undelegated:
        click.echo(f"to be delegated: {', '.join(undelegated)}")
