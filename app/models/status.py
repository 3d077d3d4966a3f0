"""How the service is, as administrators see it."""

from typing import Annotated

from pydantic import BaseModel, Field


class SchemaState(BaseModel):
    """Which schema the database has, and which this version needs."""

    revision: str | None
    needed: str
    fault: Annotated[str | None, Field(description="Why it does not suit, if so.")]


class ConsumerLag(BaseModel):
    """How far a consumer of the log of changes is behind."""

    name: str
    lag_seconds: Annotated[float, Field(description="For how long the oldest change waits.")]


class ServiceStatus(BaseModel):
    """What runs, on which schema, and who is behind."""

    version: str
    environment: str
    doors: list[str]
    schema_state: Annotated[SchemaState, Field(serialization_alias="schema")]
    consumers: list[ConsumerLag]
    scopes: Annotated[list[str], Field(description="What a service key may be limited to.")]
    events: Annotated[list[str], Field(description="What a webhook may be told of; `*` is all.")]
