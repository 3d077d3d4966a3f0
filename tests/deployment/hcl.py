"""What our Terraform says."""

from functools import cache
from pathlib import Path
from typing import Any

import hcl2
from hcl2.utils import SerializationOptions

from tests.support.service import ROOT

FOLDER = ROOT / "terraform"
_PLAIN = SerializationOptions(with_comments=False, strip_string_quotes=True)


@cache
def parsed(path: Path) -> dict[str, Any]:
    """A file's blocks and assignments."""
    with path.open() as file:
        return dict(hcl2.load(file, serialization_options=_PLAIN))


@cache
def blocks(kind: str) -> dict[str, Any]:
    """The root module's blocks of one kind, by their labels joined with a dot."""
    found: dict[str, Any] = {}
    for path in FOLDER.glob("*.tf"):
        for block in parsed(path).get(kind, []):
            for label, content in block.items():
                if kind == "resource":
                    found.update({f"{label}.{name}": each for name, each in content.items()})
                else:
                    found[label] = content
    return found


def resource(name: str) -> dict[str, Any]:
    """The root module's resource of this type and name, joined with a dot."""
    content: dict[str, Any] = blocks("resource")[name]
    return content
