"""Cross-origin rules by path."""

from collections.abc import Mapping, Sequence
from enum import Enum

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.state import Exchange

# What a page may read of an answer, beside its body.
_READABLE = (
    *("X-Request-ID", "Idempotency-Replayed", "Retry-After", "RateLimit", "RateLimit-Policy"),
    *("ETag", "X-Ignored-Fields"),
)
_STANDING = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


class CrossOrigin(Enum):
    """What pages of another origin may do: the methods, the headers, what they may read."""

    COMMANDS = ("GET, POST, PATCH, DELETE, OPTIONS", "X-Service-Key, Content-Type", ())
    WEB_CLIENTS = (
        "GET, POST, PATCH, DELETE, OPTIONS, PUT",
        "X-Service-Key, Content-Type, Authorization",
        _STANDING,
    )
    AGENTS = (
        "POST, OPTIONS",
        "X-Service-Key, Content-Type, Authorization, X-User-ID, "
        "MCP-Protocol-Version, Mcp-Method, Mcp-Name",
        (),
    )


class _ExactCORS(CORSMiddleware):
    """Allows exactly the listed headers, and refuses in JSON like everything else here."""

    def __init__(self, app: ASGIApp, origins: Sequence[str], rule: CrossOrigin) -> None:
        methods, headers, exposed = rule.value
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=methods.split(", "),
            allow_credentials=True,
            expose_headers=(*_READABLE, *exposed),
        )
        self.allow_headers = headers.lower().split(", ")
        self.preflight_headers["Access-Control-Allow-Headers"] = headers

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code == 200:
            return response
        answer = JSONResponse({"detail": bytes(response.body).decode()}, response.status_code)
        for name in ("Vary", "Access-Control-Allow-Origin"):
            if name in response.headers:
                answer.headers[name] = response.headers[name]
        return answer


class CORS:
    """Applies the rule of the longest path above the request's, else that of commands.

    Requests without an Origin pass untouched.
    """

    def __init__(
        self,
        app: ASGIApp,
        origins: Sequence[str],
        rules: Mapping[tuple[str, ...], CrossOrigin],
    ) -> None:
        self.app = app
        made = {rule: _ExactCORS(app, origins, rule) for rule in CrossOrigin}
        self._otherwise = made[CrossOrigin.COMMANDS]
        below = [(f"{path}/", made[rule]) for paths, rule in rules.items() for path in paths]
        self._rules = sorted(below, key=lambda one: len(one[0]), reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and b"origin" in Exchange.of(scope).sent:
            await self._rule(f"{scope['path']}/")(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _rule(self, path: str) -> _ExactCORS:
        for above, rule in self._rules:
            if path.startswith(above):
                return rule
        return self._otherwise
