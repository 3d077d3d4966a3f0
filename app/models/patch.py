"""Bodies that change a part."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from app.models.task import without_defaults


def _fields(model: type["Patch"]) -> list[str]:
    fields = model.model_fields.items()
    return [
        name for name, field in fields if not field.is_required() and name not in model.conditions
    ]


def _one_field_at_least(schema: dict[str, Any], model: type["Patch"]) -> None:
    """Says it in words: generators and tools refuse an `anyOf` at the root of a body."""
    without_defaults(schema)
    names = ", ".join(map("`{}`".format, _fields(model)))
    schema["description"] = f"{schema['description']} At least one field must be given: {names}."
    schema["minProperties"] = len(schema.get("required", ())) + 1


class Patch(BaseModel):
    """Its optional members are the fields to overwrite, one at least; an absent one stays."""

    model_config = ConfigDict(json_schema_extra=_one_field_at_least)

    conditions: ClassVar[frozenset[str]] = frozenset()
    """Optional members that overwrite nothing."""

    @model_validator(mode="after")
    def _some_field(self) -> "Patch":
        if self.model_fields_set.isdisjoint(_fields(type(self))):
            raise PydanticCustomError("no_fields", "No fields provided for update")
        return self
