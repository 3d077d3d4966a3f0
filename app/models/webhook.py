"""Webhooks as administrators see them."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Literal, get_args
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    StringConstraints,
    UrlConstraints,
)
from pydantic_core import PydanticCustomError

from app.models.change import ChangeType
from app.models.instant import Instant
from app.models.patch import Patch
from app.models.text import STORABLE, UserId

MOST_ENDPOINTS = 20
KEPT_DAYS = 30
"""For how long a delivery is remembered, and can be sent again."""

EventType = Literal[
    ChangeType,
    "mood.changed",
    "key.created",
    "key.rotated",
    "key.revoked",
    "key.expiring",
    "user.purged",
]


def _plain(url: HttpUrl) -> HttpUrl:
    if url.username is not None or url.password is not None:
        raise PydanticCustomError("user_info", "must not contain user info")
    if url.fragment is not None:
        raise PydanticCustomError("fragment", "must not have a fragment")
    return url


Url = Annotated[
    HttpUrl,
    UrlConstraints(max_length=2000),
    AfterValidator(_plain),
    Field(
        description="https, and no address that is private.",
        examples=["https://hooks.example.com/tasks"],
    ),
]
EVENTS = ("*", *get_args(EventType))
"""What a webhook may be told of; the first is all."""
Events = Annotated[
    list[EventType | Literal["*"]],
    Field(min_length=1, max_length=20, description="`*` is all.", examples=[["task.completed"]]),
]
UserIds = Annotated[
    list[UserId],
    Field(
        min_length=1,
        max_length=1000,
        description="Whose events; absent or null: everybody's. Those of keys are told anyway.",
    ),
]
Description = Annotated[
    str,
    StringConstraints(min_length=1, max_length=500),
    STORABLE,
    Field(description="For people."),
]


class NewEndpoint(BaseModel):
    """Where to send which events."""

    model_config = ConfigDict(extra="forbid")

    url: Url
    events: Events
    user_ids: UserIds | None = None
    description: Description | None = None


class EndpointChanges(Patch):
    """The members of an endpoint to overwrite; null clears `user_ids` and `description`."""

    model_config = ConfigDict(extra="forbid")

    url: Url = HttpUrl("https://localhost")
    events: Events = []
    user_ids: UserIds | None = None
    description: Description | None = None
    enabled: Annotated[
        bool, Field(strict=True, description="True starts an endpoint that was disabled again.")
    ] = True


class Endpoint(BaseModel):
    """Where which events are sent, and whether they are."""

    id: UUID
    url: str
    events: list[str]
    user_ids: Annotated[list[str] | None, Field(description="Null: everybody's events.")]
    description: str | None
    enabled: bool
    created_at: datetime
    updated_at: datetime
    failing_since: Annotated[
        datetime | None, Field(description="Since when no attempt has succeeded.")
    ]
    disabled_at: datetime | None
    disabled_reason: str | None


class CreatedEndpoint(Endpoint):
    """A new endpoint and its secret, shown here and never again."""

    secret: Annotated[str, Field(description="`whsec_` and what signs, in base64.")]


class EndpointList(BaseModel):
    """All endpoints, newest first."""

    webhooks: list[Endpoint]


class RotatedSecret(BaseModel):
    """The new secret, shown here and never again, and until when the old one signs too."""

    secret: str
    previous_until: datetime


class Replay(BaseModel):
    """From when on to send again what was sent."""

    model_config = ConfigDict(extra="forbid")

    since: Instant


class Replayed(BaseModel):
    """How many events are sent again."""

    deliveries: Annotated[
        int, Field(description="About, where the log has over 100,000 changes since.")
    ]


class Attempt(BaseModel):
    """What came back of one attempt."""

    delivered: Annotated[bool, Field(description="Whether it was answered 2xx.")]
    status: Annotated[int | None, Field(description="Null: no answer.")]
    duration_ms: int
    error: str | None
    body: Annotated[str | None, Field(description="The beginning of the answer.")]


DeliveryState = Literal["pending", "delivered", "retrying", "failed"]


class Delivery(BaseModel):
    """One event for one endpoint."""

    id: Annotated[str, Field(description="The `webhook-id`.")]
    event: str
    user_id: Annotated[str | None, Field(description="Null: nobody's.")]
    occurred_at: datetime
    state: Annotated[DeliveryState, Field(description="`failed`: it is not tried again.")]
    attempts: int
    attempted_at: datetime | None
    status: int | None
    duration_ms: int | None
    error: str | None
    next_attempt_at: datetime | None


class DeliveryList(BaseModel):
    """A page of an endpoint's events, newest first."""

    deliveries: list[Delivery]
    next_cursor: Annotated[int | None, Field(description="Null: there is nothing older.")]


def message_id(position: int, occurred_at: datetime) -> str:
    """The `webhook-id` of an event: the same whenever and wherever it is sent."""
    return f"msg_{sha256(f'{position}/{occurred_at.timestamp()}'.encode()).hexdigest()[:32]}"
