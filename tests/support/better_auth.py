"""A Better Auth of the newest release, in a process of its own, and people who sign in there."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from uuid import uuid4

import httpx
import pytest

from tests.support.service import ROOT, await_answer, free_port

_FOLDER = ROOT / "tests" / "auth" / "better_auth"
_PASSWORD = "correct horse battery staple"


@dataclass
class Person:
    """Somebody whom Better Auth has signed in: what the answer and its cookie say."""

    id: str
    token: str
    bearer: str
    cookie: str


class BetterAuth:
    """Signs people up, in and out."""

    def __init__(self, client: httpx.Client, secret: str, table: str, database_url: str) -> None:
        self.url, self.secret = client.headers["Origin"], secret
        self.table, self.database_url = table, database_url
        self._client = client

    def sign_up_and_in(self) -> Person:
        """A new person with a new session."""
        given = {"email": f"{uuid4().hex}@example.com", "password": _PASSWORD}
        self._post("/sign-up/email", {**given, "name": "Ann"})
        answer = self._post("/sign-in/email", given)
        body, cookie = answer.json(), answer.headers["set-cookie"].partition(";")[0]
        self._client.cookies.clear()
        bearer = answer.headers["set-auth-token"]
        return Person(body["user"]["id"], body["token"], bearer, cookie.partition("=")[2])

    def sign_out(self, person: Person) -> None:
        """Ends the person's session."""
        self._post("/sign-out", {}, bearer=person.bearer)

    def issue_token(self, person: Person) -> str:
        """A JWT of the person's."""
        headers = {"Authorization": f"Bearer {person.bearer}"}
        token: str = self._client.get("/token", headers=headers).raise_for_status().json()["token"]
        return token

    def _post(self, path: str, body: object, bearer: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return self._client.post(path, json=body, headers=headers).raise_for_status()


@contextmanager
def running_better_auth(database_url: str, table: str) -> Iterator[BetterAuth]:
    """One on this database, which makes its tables there; the test is skipped without node."""
    _install()
    url, secret = f"http://127.0.0.1:{free_port()}", token_hex(32)
    settings = {"BETTER_AUTH_URL": url, "BETTER_AUTH_SECRET": secret, "SESSION_TABLE": table}
    process = subprocess.Popen(
        ["node", "server.mjs"],
        cwd=_FOLDER,
        env={**os.environ, **settings, "DATABASE_URL": database_url},
        stdout=subprocess.DEVNULL,
    )
    try:
        await_answer(f"{url}/api/auth/ok", process)
        with httpx.Client(base_url=f"{url}/api/auth", headers={"Origin": url}) as client:
            yield BetterAuth(client, secret, table, database_url)
    finally:
        process.terminate()
        process.wait(30)


def _install() -> None:
    if shutil.which("node") is None:
        pytest.skip("NODE IS NOT INSTALLED: nothing shows that a stock Better Auth opens the doors")
    if (_FOLDER / "node_modules" / "better-auth").exists():
        return
    npm = shutil.which("npm")
    done = npm and subprocess.run([npm, "update"], cwd=_FOLDER, timeout=120, check=False)
    if not done or done.returncode:
        pytest.skip("BETTER AUTH CANNOT BE INSTALLED: nothing shows that it opens the doors")
