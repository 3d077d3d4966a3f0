"""GET /admin/console: the page of administrators, and the files it is made of."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from app.http.caching import cacheable, tag_of
from app.http.guard import Route
from app.state import Exchange

router = APIRouter(prefix="/admin/console", route_class=Route, include_in_schema=False)

_TYPES = {
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".css": "text/css",
    ".txt": "text/plain",
    ".js": "text/javascript",
}
_FILES = {
    path.name: (path.read_bytes(), _TYPES[path.suffix])
    for path in (Path(__file__).parent / "files").iterdir()
    if path.suffix in _TYPES
}
_TAGS = {name: tag_of(content) for name, (content, _) in _FILES.items()}
# The page runs and shows nothing but these files, and pictures that it makes of what /admin says.
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; "
    b"connect-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; "
    b"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


@router.get("")
async def read_page(request: Request) -> Any:
    """The page."""
    return _file(request, "index.html")


@router.get("/{name}")
async def read_file(request: Request, name: str) -> Any:
    """A file of the page."""
    return _file(request, name)


def _file(request: Request, name: str) -> Response:
    if name not in _FILES:
        raise HTTPException(404)
    content, media_type = _FILES[name]
    Exchange.of(request.scope).headers.update(_HEADERS)
    return cacheable(request, Response(content, media_type=media_type), _TAGS[name])
