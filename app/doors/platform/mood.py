"""GET /mood: a user's mood, bare; GET /mood.svg: the same as a picture."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, Security

from app.auth.service_keys import SERVICE_KEY, service_key
from app.commands.handlers.mood import get_mood
from app.commands.perform import perform
from app.doors.platform.mood_picture import draw
from app.errors import InvalidPayload
from app.http.caching import cacheable, tag_of
from app.http.examples import refuses
from app.http.guard import guarded
from app.models.error import documented
from app.models.mood import MoodReport
from app.models.text import UserId
from app.state import Exchange

router = APIRouter(
    route_class=guarded(service_key), dependencies=[Security(SERVICE_KEY)], tags=["mood"]
)

_NO_ZONE = "must be the IANA name of a time zone"
_UNKNOWN_ZONE = InvalidPayload(
    f"time_zone: {_NO_ZONE}", [{"field": "time_zone", "message": _NO_ZONE}]
)
_RESPONSES: dict[int | str, dict[str, Any]] = {
    304: {"description": "The mood is the one that If-None-Match names."},
    **documented(
        *(400, 401, 403, 422), status_400="There is no such time zone; `detail` names the field."
    ),
}
User = Annotated[UserId, Query()]
Zone = Annotated[
    str | None,
    Query(description="IANA name of the zone of a user without a preference; else UTC."),
]


# It loads nothing, also where it is opened by itself.
_POLICY = b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


@router.get("/mood", summary="Mood of one user", response_model=MoodReport, responses=_RESPONSES)
@refuses(on_400=_UNKNOWN_ZONE)
async def read_mood(request: Request, user_id: User, time_zone: Zone = None) -> Response:
    """The same as the action get-mood, without the envelope."""
    report = await _report(request, user_id, time_zone)
    body = report.model_dump_json().encode()
    # Weak: two answers that differ in nothing but when they were made are the same.
    etag = f"W/{tag_of(report.model_dump_json(exclude={'computed_at'}).encode())}"
    answer = Response(body, media_type="application/json")
    return cacheable(request, answer, etag, _max_age(report))


@router.get(
    "/mood.svg",
    summary="Mood of one user as a picture",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}, **_RESPONSES},
)
@refuses(on_400=_UNKNOWN_ZONE)
async def read_picture(request: Request, user_id: User, time_zone: Zone = None) -> Response:
    """The cat's face, the streak and the week, 320 by 120, for light and dark pages."""
    report = await _report(request, user_id, time_zone)
    picture = draw(report)
    answer = Response(picture, media_type="image/svg+xml")
    Exchange.of(request.scope).headers[b"content-security-policy"] = _POLICY
    return cacheable(request, answer, tag_of(picture), _max_age(report))


async def _report(request: Request, user_id: str, time_zone: str | None) -> MoodReport:
    payload = get_mood.validate({"time_zone": time_zone})
    report: MoodReport = await perform(request, get_mood, payload, user_id=user_id)
    return report


def _max_age(report: MoodReport) -> int:
    return int((report.valid_until - report.computed_at).total_seconds())
