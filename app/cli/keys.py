"""`python -m app keys`: service keys from the command line."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import click

from app.cli.administrator import administrator
from app.cli.database import on_database
from app.cli.models import checked, minute, print_json, print_lines, validated
from app.config import load_settings
from app.models.key import LONGEST_GRACE, KeyInfo
from app.services import administration, key_cards, keys

_EXPIRES_AT = "ISO 8601 with a zone, else UTC; it must lie ahead."
_SCOPE = click.option("--scope", "scopes", multiple=True, help="What it may do; may be repeated.")
_LIMITS = (
    click.option("--note", help="Whose key it is, and what for."),
    click.option("--rate-limit", metavar="RATE", help="Commands, as 600/minute."),
    click.option(
        "--user-id", "user_ids", multiple=True, help="Whom alone it acts for; may be repeated."
    ),
)


def _limits(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that limit a key."""
    for option in (_SCOPE, *_LIMITS):
        command = option(command)
    return command


@click.group(name="keys")
def keys_group() -> None:
    """Create, show, change, list, rotate and revoke service keys."""


@keys_group.command(name="create")
@click.argument("key_name")
@click.option(
    "--environment", type=click.Choice(["prod", "dev"]), default="prod", show_default=True
)
@_limits
@click.option("--enforce-ownership", is_flag=True, help="Hide other users' tasks from the key.")
@click.option("--expires-at", help=f"{_EXPIRES_AT} Without it the key never expires.")
def create_key(**options: object) -> None:
    """Create a key and print it with its limits. Its value is shown once."""
    from app.commands.scopes import NewServiceKey  # noqa: PLC0415 - only this command needs it

    new = validated(NewServiceKey, options)
    value = keys.generate(new.environment, load_settings().generator_secret)
    print_json(on_database(lambda db: administration.mint_key(db, administrator(), new, value)))


@keys_group.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line, with all there is.")
def list_keys(*, as_json: bool) -> None:
    """Print a table of all keys, newest first, never their values."""
    listed = on_database(keys.list_keys)
    print_lines(listed, as_json=as_json, table=[_HEADINGS, *map(_row, listed)])


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
@_limits
@click.option(
    "--enforce-ownership/--no-enforce-ownership",
    default=None,
    help="Whether other users' tasks are hidden from the successor.",
)
def rotate_key(**options: object) -> None:
    """Replace a key and print the new one, once; the old one works through its grace period."""
    from app.commands.scopes import ServiceKeyRotation  # noqa: PLC0415 - only some need it

    rotation, secret = validated(ServiceKeyRotation, options), load_settings().generator_secret
    author = administrator()
    print_json(on_database(lambda db: administration.rotate_key(db, author, rotation, secret)))


@keys_group.command(name="show")
@click.argument("key_id", type=click.UUID)
def show_key(key_id: UUID) -> None:
    """Print all about the key with this id but its value, with its use of the last 90 days."""
    print_json(on_database(lambda db: key_cards.fetch_card(db, key_id)))


_CLEARABLE = ("note", "scopes", "expires_at", "rate_limit", "user_ids")


@keys_group.command(name="change")
@click.argument("key_id", type=click.UUID)
@_limits
@click.option("--expires-at", help=_EXPIRES_AT)
@click.option(
    "--enforce-ownership/--no-enforce-ownership",
    default=None,
    help="Whether other users' tasks are hidden from the key.",
)
@click.option("--clear", multiple=True, type=click.Choice(_CLEARABLE), help="May be repeated.")
def change_key(key_id: UUID, clear: tuple[str, ...], **options: object) -> None:
    """Change what limits the key with this id, and print it."""
    from app.commands.scopes import ServiceKeyChanges  # noqa: PLC0415 - only some need it

    given = {name: value for name, value in options.items() if value not in (None, ())}
    changes = checked(ServiceKeyChanges, {**given, **dict.fromkeys(clear)})
    author = administrator()
    print_json(on_database(lambda db: administration.change_key(db, author, key_id, changes)))


@keys_group.command(name="revoke")
@click.argument("key_id", type=click.UUID)
def revoke_key(key_id: UUID) -> None:
    """Revoke the key with this id at once."""
    name = on_database(lambda db: administration.revoke_key(db, administrator(), key_id))
    click.echo(f"Revoked {name}.")


_HEADINGS = ("NAME", "KEY", "STATE", "CREATED", "EXPIRES", "LAST USED", "SCOPES", "TASKS", "ID")


def _row(key: KeyInfo) -> tuple[str, ...]:
    return (
        key.key_name,
        f"{key.environment or '?'}…{key.last_four or '?'}",
        key.state,
        minute(key.created_at),
        minute(key.expires_at),
        minute(key.last_used_at),
        ",".join(key.scopes or ["*"]),
        "own" if key.enforce_ownership else "any",
        str(key.id),
    )
