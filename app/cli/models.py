"""Models made of what a person typed, and printed."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

import click
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], options: dict[str, object]) -> Model:
    """The model of these options, without those that were not given; else one clear line."""
    given = {name: value for name, value in options.items() if value not in (None, ())}
    return checked(model, given)


def checked(model: type[Model], members: dict[str, object]) -> Model:
    """The model with exactly these members; else one clear line."""
    try:
        return model.model_validate(members)
    except ValidationError as error:
        raise click.ClickException(_complaint(error)) from None


def _complaint(error: ValidationError) -> str:
    sentences = []
    for details in error.errors(include_input=False):
        place = ".".join(map(str, details["loc"]))
        sentences.append(f"{place}: {details['msg']}" if place else details["msg"])
    return "; ".join(sentences)


def print_json(model: BaseModel) -> None:
    """Prints it as a line of JSON."""
    click.echo(model.model_dump_json())


def print_table(rows: list[tuple[str, ...]]) -> None:
    """Prints rows whose columns stand below one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def print_lines(
    models: Iterable[BaseModel], *, as_json: bool, table: list[tuple[str, ...]]
) -> None:
    """Prints a list as a line of JSON each, or as a table."""
    if as_json:
        for model in models:
            print_json(model)
    else:
        print_table(table)


def minute(instant: datetime | None) -> str:
    """An instant for people."""
    return "never" if instant is None else f"{instant:%Y-%m-%dT%H:%MZ}"
