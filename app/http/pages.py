"""The pages on which people read and try the API, and the document that they show."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from pydantic_core import to_json
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from app.http.caching import Published
from app.http.guard import Route
from app.state import Exchange

DOCUMENT = "/openapi.json"
_STATIC = "/static-offline-docs"
PAGES = ("/docs", "/redoc", DOCUMENT, _STATIC)
"""The paths of all of them."""

_SWAGGER_UI: dict[str, Any] = {
    "validatorUrl": None,
    "persistAuthorization": True,
    "defaultModelsExpandDepth": -1,
}

# The pages bring all they need; whatever they ask of another host is not loaded.
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; worker-src blob:; frame-ancestors 'none'"
)

# Every field of the dialog asks for the focus, and the last one gets it.
_FOCUS_ON_THE_FIRST = b"""<script>
let dialog = null
new MutationObserver(() => {
  const shown = document.querySelector(".dialog-ux")
  if (shown && shown !== dialog) shown.querySelector("input")?.focus()
  dialog = shown
}).observe(document.body, { childList: true, subtree: true })
</script>
</body>"""


class PublishedDocument:
    """The OpenAPI document as bytes, made when it is first asked for, and once.

    That takes a second of CPU, in which the event loop would answer nobody; so a thread makes it.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._making = asyncio.Lock()
        self._published: Published | None = None

    async def get(self) -> Published:
        """The bytes and their tag, for which whoever asks meanwhile waits too."""
        async with self._making:
            if self._published is None:
                self._published = await asyncio.to_thread(self._publish)
            return self._published

    def _publish(self) -> Published:
        return Published.of(to_json(self._make()))


def pages(app: FastAPI) -> APIRouter:
    """Serves the document, Swagger UI and ReDoc, with nothing from another host."""
    router = APIRouter(route_class=Route, include_in_schema=False)
    document = PublishedDocument(partial(_made_once, app))
    files = StaticFiles(directory=Path(fastapi_offline.__file__).with_name("static"))

    @router.get(DOCUMENT)
    async def read_document(request: Request) -> Response:
        return (await document.get()).answer(request)

    @router.get("/docs")
    async def read_swagger_ui(request: Request) -> Response:
        return _page(request, _swagger_ui(app.title))

    @router.get("/redoc")
    async def read_redoc(request: Request) -> Response:
        return _page(request, _redoc(app.title))

    @router.get(_STATIC + "/{name}")
    async def read_file(request: Request, name: str) -> Response:
        return await files.get_response(name, request.scope)

    return router


def _made_once(app: FastAPI) -> Any:
    """The document, which the application does not keep: the bytes are enough."""
    document, app.openapi_schema = app.openapi(), None
    return document


def _page(request: Request, page: HTMLResponse) -> Response:
    Exchange.of(request.scope).headers[b"content-security-policy"] = _POLICY
    return page


def _swagger_ui(title: str) -> HTMLResponse:
    page = get_swagger_ui_html(
        openapi_url=DOCUMENT,
        title=f"{title} - Swagger UI",
        swagger_js_url=f"{_STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{_STATIC}/swagger-ui.css",
        swagger_favicon_url=f"{_STATIC}/favicon.png",
        swagger_ui_parameters=_SWAGGER_UI,
    )
    return HTMLResponse(bytes(page.body).replace(b"</body>", _FOCUS_ON_THE_FIRST))


def _redoc(title: str) -> HTMLResponse:
    return get_redoc_html(
        openapi_url=DOCUMENT,
        title=f"{title} - ReDoc",
        redoc_js_url=f"{_STATIC}/redoc.standalone.js",
        redoc_favicon_url=f"{_STATIC}/favicon.png",
        with_google_fonts=False,
    )
