"""What opens the doors to people of Better Auth, and where its keys are."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.config import Settings
from app.doors import open_doors
from tests.config.test_settings import SECRET, URL, production


@pytest.mark.parametrize(
    ("given", "door"),
    [
        ({"session_table": "session"}, "sessions"),
        ({"better_auth_url": "https://auth.example.com"}, "user-tasks"),
        ({"better_auth_secret": SECRET}, "user-tasks"),
        ({"better_auth_jwks_url": "https://auth.example.com/jwks"}, None),
    ],
)
def test_what_opens_a_door_to_people_of_better_auth(
    given: dict[str, Any], door: str | None
) -> None:
    settings = Settings(database_url=URL, mcp_enabled=False, console_enabled=False, **given)
    opened = [each.name for each in open_doors(settings)]
    assert opened == ["commands", "admin", *([door] if door else [])]


@pytest.mark.parametrize("name", ["better_auth_url", "better_auth_jwks_url"])
def test_keys_of_tokens_come_encrypted_outside_development(name: str) -> None:
    given: dict[str, Any] = {
        "better_auth_url": "https://auth.example.com",
        name: "http://auth.example.com",
    }
    assert getattr(Settings(database_url=URL, **given), name) == "http://auth.example.com"
    with pytest.raises(ValidationError, match=f"{name.upper()} must be https"):
        production(**given)


@pytest.mark.parametrize("scheme", ["HTTP", "Http"])
def test_a_scheme_in_capitals_is_no_way_around_that(scheme: str) -> None:
    with pytest.raises(ValidationError, match="BETTER_AUTH_URL must be https"):
        production(better_auth_url=f"{scheme}://auth.example.com")


_ORIGIN = "https://auth.example.com"


@pytest.mark.parametrize(
    ("url", "origin", "keys"),
    [
        (_ORIGIN, _ORIGIN, f"{_ORIGIN}/api/auth/jwks"),
        (f"{_ORIGIN}/", _ORIGIN, f"{_ORIGIN}/api/auth/jwks"),
        ("https://Auth.EXAMPLE.com", _ORIGIN, f"{_ORIGIN}/api/auth/jwks"),
        ("HTTPS://auth.example.com:443/", _ORIGIN, f"{_ORIGIN}/api/auth/jwks"),
        (f"{_ORIGIN}/api/auth", _ORIGIN, f"{_ORIGIN}/api/auth/jwks"),
        (f"{_ORIGIN}/login//", _ORIGIN, f"{_ORIGIN}/login/jwks"),
        (f"{_ORIGIN}:8443/login", f"{_ORIGIN}:8443", f"{_ORIGIN}:8443/login/jwks"),
        ("http://[::1]:3000", "http://[::1]:3000", "http://[::1]:3000/api/auth/jwks"),
    ],
)
def test_a_url_is_understood_as_better_auth_understands_it(
    url: str, origin: str, keys: str
) -> None:
    settings = Settings(database_url=URL, better_auth_url=url)
    assert (settings.token_issuer, settings.token_audience) == (origin, origin)
    assert settings.token_keys_url == keys


def test_what_is_told_of_tokens_stays_as_it_is() -> None:
    told = {name: f"{_ORIGIN}:443/{name}/" for name in ("jwks_url", "issuer", "audience")}
    given: dict[str, Any] = {f"better_auth_{name}": url for name, url in told.items()}
    settings = Settings(database_url=URL, better_auth_url=_ORIGIN, **given)
    read = (settings.token_keys_url, settings.token_issuer, settings.token_audience)
    assert read == tuple(told.values())


@pytest.mark.parametrize("url", ["https://:443", "https://a:99999", "ftp://a", "https://a?b"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="better_auth_url"):
        Settings(database_url=URL, better_auth_url=url)
