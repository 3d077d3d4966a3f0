"""From a request to the route that answers it, and from an error to the answer that tells it."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.answers import ErrorShape, error_answer
from app.http.guard import Handle, Route
from app.http.paths import leads_nowhere, require_utf8, without_trailing_slash
from app.state import Exchange

MAX_PARAMETERS = 100


class _Target(NamedTuple):
    """A compiled route."""

    path: str
    regex: re.Pattern[str]
    methods: frozenset[str]
    handle: Handle


class Branch:
    """The routes below some paths, those without parameters by their path."""

    def __init__(
        self, paths: Iterable[str], routes: Iterable[Route] = (), shape: ErrorShape | None = None
    ) -> None:
        self.paths, self.shape = paths, shape
        self._fixed: dict[tuple[str, str], _Target] = {}
        self._others: list[_Target] = []
        for route in routes:
            methods = frozenset(route.methods or ())
            target = _Target(route.path_format, route.path_regex, methods, route.compile())
            if route.param_convertors:
                self._others.append(target)
            else:
                self._fixed |= {(method, target.path): target for method in methods}

    def find(self, scope: Scope) -> tuple[_Target, dict[str, str]]:
        """The route and the parameters of the path; HTTPException where there is none."""
        method, path = scope["method"], scope["path"]
        if scope["query_string"].count(b"&") >= MAX_PARAMETERS:
            raise HTTPException(414, f"The query has more than {MAX_PARAMETERS} parameters")
        if target := self._fixed.get((method, path)):
            return target, {}
        allowed = {known for known, fixed in self._fixed if fixed == path}
        for target in self._others:
            if match := target.regex.match(path):
                if method in target.methods:
                    return target, match.groupdict()
                allowed |= target.methods
        if not allowed:
            raise HTTPException(404)
        allowed |= {"HEAD"} if "GET" in allowed else set()
        raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})


class Dispatch:
    """Answers what belongs to a branch, errors included; leaves the rest to the application.

    A path belongs to the branch with the longest path above it. An error is raised again only once
    an answer has begun: the server would close a kept-alive connection unannounced.
    """

    def __init__(self, app: ASGIApp, branches: Iterable[Branch]) -> None:
        self.app = app
        paths = [(path, branch) for branch in branches for path in branch.paths]
        self._branches = sorted(paths, key=lambda one: len(one[0]), reverse=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange, branch = Exchange.of(scope), self._branch(scope["path"])
        answer: ASGIApp
        try:
            answer = await self._answer(branch, exchange, scope, receive)
            await answer(scope, receive, send)
        except Exception as error:
            answer = error_answer(exchange, error, branch.shape if branch else None)
            if exchange.begun:
                raise
            await answer(scope, receive, send)

    async def _answer(
        self, branch: Branch | None, exchange: Exchange, scope: Scope, receive: Receive
    ) -> ASGIApp:
        if leads_nowhere(scope):
            raise HTTPException(404)
        require_utf8(scope)
        scope["path"] = without_trailing_slash(scope["path"])
        if branch is None:
            return self.app
        target, scope["path_params"] = branch.find(scope)
        exchange.label = target.path
        _tell_telemetry(scope, target.path)
        return await target.handle(Request(scope, receive))

    def _branch(self, path: str) -> Branch | None:
        for above, branch in self._branches:
            if path.startswith(above) and path[len(above) : len(above) + 1] in ("", "/"):
                return branch
        return None


def _tell_telemetry(scope: Scope, path: str) -> None:
    """Names the route in the request's span, as FastAPI does for what it serves itself."""
    if "fastapi.telemetry" in scope:
        from fastapi.telemetry._api import _route_selected  # noqa: PLC0415 - only where it is on

        _route_selected(scope=scope, path=path)
