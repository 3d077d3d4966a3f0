"""Cross-origin rules by path."""

from collections.abc import Sequence

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.request_log import _header

# What a web client may read of how its user stands with a rate limit.
_STANDING = (
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *("RateLimit", "RateLimit-Policy", "Retry-After"),
)


class _ExactCORS(CORSMiddleware):
    """Allows exactly the listed headers, and refuses in JSON like everything else here."""

    def __init__(
        self,
        app: ASGIApp,
        origins: Sequence[str],
        methods: str,
        headers: str,
        exposed: Sequence[str] = (),
    ) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=methods.split(", "),
            allow_credentials=True,
            expose_headers=("X-Request-ID", *exposed),
        )
        self.allow_headers = headers.lower().split(", ")
        self.preflight_headers["Access-Control-Allow-Headers"] = headers

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        refusal = JSONResponse({"detail": bytes(response.body).decode()}, response.status_code)
        for name in ("Vary", "Access-Control-Allow-Origin"):
            if name in response.headers:
                refusal.headers[name] = response.headers[name]
        return refusal


class CORS:
    """Cross-origin rules by path; requests without an Origin pass untouched."""

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self.app = app
        methods, headers = "GET, POST, PATCH, DELETE, OPTIONS", "X-Service-Key, Content-Type"
        self._commands = _ExactCORS(app, origins, methods, headers)
        methods, headers = f"{methods}, PUT", f"{headers}, Authorization"
        self._doors = _ExactCORS(app, origins, methods, headers, _STANDING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _header(scope, b"origin") is None:
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/api/"):
            await self._doors(scope, receive, send)
        else:
            await self._commands(scope, receive, send)
