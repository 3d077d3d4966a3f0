"""Words of JSON for what is wrong with a value, where Pydantic has those of Python."""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "list_type": "must be a list",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be an object"),
}


def words(mistake: Mapping[str, Any]) -> str:
    """What a client is told of one of Pydantic's errors."""
    return _WORDS.get(mistake["type"], str(mistake["msg"]))
