"""Whatever an application raises becomes an answer."""

from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.answers import refusal


class Faults:
    """Answers whatever an application raises, the unexpected with a plain 500.

    It stands inside CORS so that browsers may read the answer, and re-raises only once an answer
    has begun: uvicorn would close a kept-alive connection unannounced.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            if scope["type"] != "http":
                raise
            response = refusal(scope, error)
            if "status" in scope["log"]:
                raise
            await response(scope, receive, send)
