"""Error answers as the OpenAPI document describes them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from app.models.constant import NoData


class Error(BaseModel):
    """Why the request was refused."""

    detail: str
    code: Annotated[str, Field(description="A stable word for it, where there is one.")] = ""


class FieldError(BaseModel):
    """What is wrong with one field of the payload."""

    field: str
    message: str


class PayloadError(BaseModel):
    """What is wrong with the payload, in one sentence and field by field."""

    detail: str
    code: str
    errors: list[FieldError]


class RequestFieldError(BaseModel):
    """What is wrong with one part of the request."""

    type: str
    loc: list[str | int]
    msg: str


class RequestError(BaseModel):
    """What is wrong with the request; a sentence where it is not about single members."""

    detail: list[RequestFieldError] | str


class FaultError(BaseModel):
    """A fault of the service. X-Request-ID identifies it; the answer has no details."""

    detail: str
    code: str
    success: bool
    data: NoData
    error: str
    timestamp: datetime


_RETRY_AFTER = {
    "description": "Seconds to wait before trying again.",
    "schema": {"type": "integer"},
}
_DOCUMENTED: dict[int, dict[str, Any]] = {
    400: {"model": PayloadError, "description": "The payload is wrong; `detail` names the field."},
    401: {"model": Error, "description": "The key is missing, unknown, expired or revoked."},
    403: {"model": Error, "description": "The key lacks the scope."},
    404: {"model": Error, "description": "There is no such thing."},
    409: {
        "model": Error,
        "description": "The first command with this idempotency key is still running.",
        "headers": {"Retry-After": _RETRY_AFTER},
    },
    408: {"model": Error, "description": "The body took longer than 10 seconds to arrive."},
    413: {"model": Error, "description": "The body is larger than 1 MiB."},
    415: {
        "model": Error,
        "description": "The body has a content coding, gzip for example.",
        "headers": {
            "Accept-Encoding": {
                "description": "The codings that are understood: `identity`, which is none.",
                "schema": {"type": "string"},
            }
        },
    },
    423: {
        "model": Error,
        "description": "Five failures locked the account, for 15 minutes.",
        "headers": {"Retry-After": _RETRY_AFTER},
    },
    422: {"model": RequestError, "description": "The request is malformed; `loc` says where."},
    429: {
        "model": Error,
        "description": "Too many requests within the time that the limit looks back.",
        "headers": {"Retry-After": _RETRY_AFTER},
    },
    500: {"model": FaultError, "description": "Our fault; it is logged under the request id."},
    503: {
        "model": FaultError,
        "description": "The database did not answer in time; repeat with the same key.",
        "headers": {"Retry-After": _RETRY_AFTER},
    },
}


def documented(
    *statuses: int, fault: type[BaseModel] = FaultError, **descriptions: str
) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer these statuses, besides 500 and 503.

    A description is overridden by the keyword `status_<number>`.
    """
    return {
        status: {
            **_DOCUMENTED[status],
            **({"model": fault} if status >= 500 else {}),
            "description": descriptions.get(f"status_{status}", _DOCUMENTED[status]["description"]),
        }
        for status in (*statuses, 500, 503)
    }


def refusals(
    *statuses: int, model: type[BaseModel] = Error, **descriptions: str
) -> dict[int | str, dict[str, Any]]:
    """The same for a door without idempotency keys, whose every refusal is of one model."""
    unavailable = {
        "status_503": "The database did not answer in time, or its schema is unusable; try again."
    }
    responses = documented(*statuses, fault=model, **(unavailable | descriptions))
    return {status: {**response, "model": model} for status, response in responses.items()}


REVOKED = "An administrator revoked it; the code is `installation_revoked`."
BODY_ERRORS = (408, 413, 415, 422)
"""What may go wrong while a body is read."""
