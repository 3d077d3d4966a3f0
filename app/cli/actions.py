"""The catalogue of actions, from the command line."""

import json

import click


@click.command(name="actions")
def print_actions() -> None:
    """Print the catalogue of actions as JSON."""
    from app.commands.action import PLATFORM  # noqa: PLC0415 - only this command needs actions
    from app.commands.catalogue import catalogue  # noqa: PLC0415

    click.echo(json.dumps(catalogue(PLATFORM).model_dump(), indent=2))
