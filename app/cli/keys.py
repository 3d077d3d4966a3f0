"""`python -m app keys`: service keys from the command line."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

import click
from pydantic import BaseModel, ValidationError

from app.cli.database import on_database
from app.config import load_settings
from app.models.key import LONGEST_GRACE, KeyInfo, KeyRotation
from app.services import keys

Model = TypeVar("Model", bound=BaseModel)

_EXPIRES_AT = "ISO 8601 with a zone, else UTC; it must lie ahead."


@click.group(name="keys")
def keys_group() -> None:
    """Create, list, rotate and revoke service keys."""


@keys_group.command(name="create")
@click.argument("key_name")
@click.option(
    "--environment", type=click.Choice(["prod", "dev"]), default="prod", show_default=True
)
@click.option("--scope", "scopes", multiple=True, help="May be repeated; none allows everything.")
@click.option("--enforce-ownership", is_flag=True, help="Hide other users' tasks from the key.")
@click.option("--expires-at", help=f"{_EXPIRES_AT} Without it the key never expires.")
def create_key(**options: object) -> None:
    """Create a key and print it with its limits. Its value is shown once."""
    from app.commands.scopes import NewServiceKey  # noqa: PLC0415 - only this command needs it

    new = _validated(NewServiceKey, options)
    value = keys.generate(new.environment, load_settings().generator_secret)
    _print(on_database(lambda db: keys.insert_key(db, new, value)))


@keys_group.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, with all there is.")
def list_keys(*, as_json: bool) -> None:
    """Print a table of all keys, newest first, never their values."""
    listed = on_database(keys.list_keys)
    if as_json:
        for info in listed:
            _print(info)
    else:
        _print_table([_HEADINGS, *map(_row, listed)])


@keys_group.command(name="rotate")
@click.argument("key_name")
@click.option(
    "--expires-at",
    help=f"When the successor ends: {_EXPIRES_AT} Without it, when the old key was to end.",
)
@click.option(
    "--grace",
    "grace_seconds",
    metavar="SECONDS",
    type=click.IntRange(0, LONGEST_GRACE),
    default=LONGEST_GRACE,
    show_default="7 days",
    help="For how long the old key goes on working.",
)
def rotate_key(**options: object) -> None:
    """Replace a key and print the new one, once; the old one works through its grace period."""
    rotation = _validated(KeyRotation, options)
    secret = load_settings().generator_secret
    _print(on_database(lambda db: keys.rotate_key(db, rotation, secret)))


@keys_group.command(name="revoke")
@click.argument("key_id", type=click.UUID)
def revoke_key(key_id: UUID) -> None:
    """Revoke the key with this id at once."""
    name = on_database(lambda db: keys.revoke_key(db, key_id))
    click.echo(f"Revoked {name}.")


def _validated(model: type[Model], options: dict[str, object]) -> Model:
    given = {name: value for name, value in options.items() if value not in (None, ())}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise click.ClickException(_complaint(error)) from None


def _complaint(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, details['loc']))}: {details['msg']}"
        for details in error.errors(include_input=False)
    )


def _print(model: BaseModel) -> None:
    click.echo(model.model_dump_json())


_HEADINGS = ("NAME", "KEY", "STATE", "CREATED", "EXPIRES", "LAST USED", "SCOPES", "TASKS", "ID")


def _row(key: KeyInfo) -> tuple[str, ...]:
    return (
        key.key_name,
        f"{key.environment or '?'}…{key.last_four or '?'}",
        key.state,
        _minute(key.created_at),
        _minute(key.expires_at),
        _minute(key.last_used_at),
        ",".join(key.scopes or ["*"]),
        "own" if key.enforce_ownership else "any",
        str(key.id),
    )


def _minute(instant: datetime | None) -> str:
    return "never" if instant is None else f"{instant:%Y-%m-%dT%H:%MZ}"


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
