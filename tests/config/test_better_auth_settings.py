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


def test_keys_of_tokens_are_where_better_auth_serves_them() -> None:
    for url in ("https://auth.example.com", "https://auth.example.com/"):
        settings = Settings(database_url=URL, better_auth_url=url)
        assert settings.token_keys_url == "https://auth.example.com/api/auth/jwks"
