"""The page on which people try the API."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse

_STATIC = "/static-offline-docs"
SWAGGER_UI: dict[str, Any] = {
    "validatorUrl": None,
    "persistAuthorization": True,
    "defaultModelsExpandDepth": -1,
}

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


def add_swagger_ui(app: FastAPI) -> None:
    """Serves Swagger UI at /docs, with nothing from another host."""

    @app.get("/docs", include_in_schema=False)
    async def swagger_ui(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} - Swagger UI",
            swagger_js_url=f"{root}{_STATIC}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{_STATIC}/swagger-ui.css",
            swagger_favicon_url=f"{root}{_STATIC}/favicon.png",
            swagger_ui_parameters=app.swagger_ui_parameters,
        )
        return HTMLResponse(bytes(page.body).replace(b"</body>", _FOCUS_ON_THE_FIRST))
