"""The table of settings says what the settings say of themselves."""

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from app.config import Settings
from tests.support.service import ROOT


def configuration_table() -> str:
    """The table of settings, as the settings describe themselves."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default
        if default is PydanticUndefined:
            shown = "required"
        elif isinstance(default, SecretStr):
            shown = "a placeholder"
        elif isinstance(default, list):
            shown = f"`{','.join(default)}`"
        else:
            shown = "" if default is None else f"`{default}`"
        rows.append(f"| `{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


def test_the_page_shows_every_setting_as_it_is() -> None:
    assert configuration_table() in (ROOT / "docs/configuration.md").read_text()
