"""The command line, one file for each group of commands."""

import click

from app.cli import database, parent
from app.cli.actions import print_actions
from app.cli.dev import dev
from app.cli.keys import keys_group
from app.cli.migrate import migrate
from app.cli.serve import serve
from app.cli.worker import mirror, worker


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def cli(context: click.Context) -> None:
    """Task Manager API: serve it, migrate its database, manage its keys."""
    parent.end_with_the_named()
    if context.invoked_subcommand not in {"dev", "serve"}:
        database.find_database()


for command in (dev, serve, migrate, keys_group, worker, mirror, print_actions):
    cli.add_command(command)
