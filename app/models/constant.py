"""Members that always have one value, described in words that client generators understand.

A generator that meets a boolean `const` or a bare `null` writes clients that do not compile, or
that refuse every answer.
"""

from typing import Annotated, Any, Literal

from pydantic import WithJsonSchema

AlwaysTrue = Annotated[
    Literal[True], WithJsonSchema({"type": "boolean", "description": "Always true."})
]
AlwaysFalse = Annotated[
    Literal[False], WithJsonSchema({"type": "boolean", "description": "Always false."})
]


def _null_or(schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, {"type": "null"}], "description": "Always null."})


NoText = Annotated[None, _null_or({"type": "string"})]
NoData = Annotated[None, _null_or({"type": "object", "additionalProperties": True})]
