"""The README says what is so."""

from app.doors import DOORS
from tests.support.pages import README


def doors_table() -> str:
    """The README's table of doors, as the doors describe themselves."""
    rows = ["| door | paths | credential | open when |", "|---|---|---|---|"]
    for door in DOORS:
        name = f"[{door.name}](docs/api.md#{door.name})"
        paths = ", ".join(f"`{path}`" for path in door.paths)
        rows.append(f"| {name} | {paths} | {door.credential} | {door.opened_by} |")
    return "\n".join(rows)


def test_the_table_of_doors_has_every_door_as_it_is() -> None:
    assert doors_table() in README
