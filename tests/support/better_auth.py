"""A Better Auth of the newest release, in a process of its own, and people who sign in there."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path
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

    def __init__(self, client: httpx.Client, settings: Mapping[str, str]) -> None:
        self.url, self.secret = settings["BETTER_AUTH_URL"], settings["BETTER_AUTH_SECRET"]
        self.table, self.database_url = settings["SESSION_TABLE"], settings["DATABASE_URL"]
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
def running_better_auth(database_url: str, table: str, path: str = "") -> Iterator[BetterAuth]:
    """One on this database, which makes its tables there; the test is skipped without node.

    The path ends the `baseURL` that it is told.
    """
    _install()
    url = f"http://127.0.0.1:{free_port()}"
    settings = {
        "BETTER_AUTH_URL": f"{url}{path}",
        "BETTER_AUTH_SECRET": token_hex(32),
        "SESSION_TABLE": table,
        "DATABASE_URL": database_url,
    }
    process = subprocess.Popen(
        ["node", "server.mjs"],
        cwd=_FOLDER,
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
    )
    try:
        served = f"{url}{path}".rstrip("/") if path.strip("/") else f"{url}/api/auth"
        await_answer(f"{served}/ok", process)
        with httpx.Client(base_url=served, headers={"Origin": url}) as client:
            yield BetterAuth(client, settings)
    finally:
        process.terminate()
        process.wait(30)


def _install() -> None:
    if shutil.which("node") is None:
        pytest.skip("NODE IS NOT INSTALLED: nothing shows that a stock Better Auth opens the doors")
    modules = _FOLDER / "node_modules"
    modules.mkdir(exist_ok=True)
    with _alone(modules / ".lock"):
        installed = modules / ".installed"
        if installed.exists() or _update():
            installed.touch()
            return
    pytest.skip("BETTER AUTH CANNOT BE INSTALLED: nothing shows that it opens the doors")


def _update() -> bool:
    npm = shutil.which("npm")
    if npm is None:
        return False
    return subprocess.run([npm, "update"], cwd=_FOLDER, timeout=120, check=False).returncode == 0


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Only one of several processes at a time."""
    with path.open("w") as lock:
        flock(lock, LOCK_EX)
        yield
