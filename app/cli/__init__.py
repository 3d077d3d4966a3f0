"""The command line, one file for each group of commands."""

import click

from app.cli import database, parent
from app.cli.actions import print_actions
from app.cli.audit import print_trail
from app.cli.dev import dev
from app.cli.distribute import database_group
from app.cli.keys import keys_group
from app.cli.migrate import migrate
from app.cli.revocations import revocations_group
from app.cli.serve import serve
from app.cli.users import users_group
from app.cli.worker import mirror, worker


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """Task Manager API: serve it, migrate its database, manage its keys and users."""
    parent.end_with_the_named()
    if context.invoked_subcommand not in {"dev", "serve"}:
        database.find_database()


for command in (
    *(dev, serve, migrate, worker, mirror, print_actions),
    *(keys_group, revocations_group, print_trail, users_group, database_group),
):
    cli.add_command(command)
