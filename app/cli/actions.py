"""The catalogue of actions, from the command line."""

import json

import click


@click.command(name="actions")
def print_actions() -> None:
    """Print the catalogue of actions as JSON."""
    from app.commands.catalogue import catalogue_of  # noqa: PLC0415 - only this command needs it
    from app.commands.registry import commands  # noqa: PLC0415

    click.echo(json.dumps(catalogue_of(tuple(commands())).model_dump(), indent=2))
