import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from app.config import DEVELOPMENT_ADMIN_KEY, Settings, load_settings
from app.doors import development_values, open_doors

ROOT = Path(__file__).parents[2]
ADMIN = "5f0c4c1d9be84a7fa3e1"
SECRET = "d41d8cd98f00b204e9800998ecf8427e"
URL = "postgresql://u:p@h/d"


def production(**changed: Any) -> Settings:
    values = {"database_url": URL, "admin_api_key": ADMIN, "api_key_secret": SECRET, **changed}
    return Settings(**{"environment": "production", **values})


def test_missing_database_url_ends_the_start_with_one_clear_line() -> None:
    with pytest.raises(SystemExit) as ended:
        load_settings()
    assert ended.value.code == ("Configuration error: DATABASE_URL is not set (see .env.example)")


def test_empty_variables_are_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("API_KEY_SECRET", "")
    with pytest.raises(SystemExit, match="DATABASE_URL is not set"):
        load_settings()


def test_development_needs_the_database_url_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@h/d")
    settings = load_settings()
    assert settings.environment == "development"
    assert (settings.port, settings.log_level) == (8000, "INFO")
    assert settings.admin_api_key.get_secret_value() == DEVELOPMENT_ADMIN_KEY
    assert settings.database_url.get_secret_value() == URL
    assert settings.cors_origins == ["http://localhost:3000"]


def test_settings_in_force_can_be_looked_at_from_a_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv("LOG_LEVEL", "WARNING")
    from app.config import settings

    assert settings.log_level == "WARNING"


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_real_secrets_are_accepted_outside_development(environment: str) -> None:
    assert production(environment=environment).generator_secret == SECRET


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize("name", ["admin_api_key", "api_key_secret"])
@pytest.mark.parametrize(
    "value",
    [
        DEVELOPMENT_ADMIN_KEY,
        "your-secret-key-change-this-in-production",
        "your-service-auth-token-change-this",
        "your-secret-key-minimum-32-characters-long-random-string",
        "your-custom-key-0123456789",
        "CHANGE-ME-0123456789",
        "change_me_0123456789",
        "replace-with-32-characters",
        "example-0123456789abcdef",
        "secret-key-0123456789abcdef",
        "dev_0123456789abcdef",
        "test-0123456789abcdef",
        "fifteen-letters",
        " ",
    ],
)
def test_placeholder_and_short_secrets_are_refused_outside_development(
    name: str, value: str, environment: str
) -> None:
    with pytest.raises(ValidationError, match=name.upper()) as refused:
        production(environment=environment, **{name: value})
    assert value == " " or value not in str(refused.value)


@pytest.mark.parametrize("missing", ["admin_api_key", "api_key_secret"])
def test_secrets_are_required_outside_development(missing: str) -> None:
    values = {"database_url": URL, "admin_api_key": ADMIN, "api_key_secret": SECRET}
    del values[missing]
    with pytest.raises(ValidationError, match=missing.upper()):
        Settings(**{"environment": "production", **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("origins", ["*", "http://localhost:3000,*", "https://*.example.com"])
def test_wildcard_origins_are_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("CORS_ORIGINS", origins)
    with pytest.raises(ValidationError, match="wildcard"):
        Settings(database_url=URL)


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", " https://a.example/ ,https://b.example,")
    settings = Settings(database_url=URL)
    assert settings.cors_origins == ["https://a.example", "https://b.example"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "70000"),
        ("PORT", "http"),
        ("ENVIRONMENT", "prod"),
        ("LOG_LEVEL", "LOUD"),
        ("WEB_CONCURRENCY", "0"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DOCS_ENABLED", "perhaps"),
        ("REDIS_URL", "http://localhost:6379"),
        ("REDIS_URL", "redis://localhost:port"),
        ("EXECUTE_RATE_LIMIT", "many"),
        ("EXECUTE_RATE_LIMIT", "0/minute"),
        ("EXECUTE_RATE_LIMIT", "1/second;10/minute"),
        ("JWT_SECRET", "31-characters-are-one-too-few-x"),
        ("BETTER_AUTH_SECRET", "31-characters-are-one-too-few-x"),
        ("BETTER_AUTH_URL", "auth.example.com"),
        ("BETTER_AUTH_URL", "https://user@auth.example.com"),
        ("BETTER_AUTH_JWKS_URL", "file:///etc/passwd"),
        ("SESSION_TABLE", "user sessions"),
        ("SESSION_TABLE", 'session"; --'),
        ("SESSION_TABLE", "a.b.c"),
        ("PUBLIC_URL", "tasks.example.com"),
        ("PUBLIC_URL", "https://tasks.example.com/"),
        ("SMTP_SECURITY", "ssl"),
        ("MAIL_FROM", "Whiskers <whiskers@example.com>"),
    ],
)
def test_unusable_setting_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", URL)
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        load_settings()
    assert re.fullmatch(rf"Configuration error: {name} [^\n]+", str(ended.value.code))


def test_complaints_contain_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "DATABASE_URL": "mysql://user:pa55word@host/database",
        "MIGRATION_DATABASE_URL": "mysql://user:pa55word@host/database",
        "ADMIN_API_KEY": "your-pa55word",
        "API_KEY_SECRET": "dev-pa55word",
        "ENVIRONMENT": "production",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    for name, value in (("", ""), ("DATABASE_URL", URL), ("MIGRATION_DATABASE_URL", URL)):
        if name:
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            load_settings()
        assert "pa55word" not in str(ended.value.code)


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(production(database_url="postgresql://u:pa55word@h/d"))
    assert not [secret for secret in ("pa55word", ADMIN, SECRET) if secret in shown]


@pytest.mark.parametrize(
    ("environment", "enabled", "open_"),
    [
        ("development", None, True),
        ("staging", None, True),
        ("production", None, False),
        ("production", True, True),
        ("development", False, False),
    ],
)
def test_docs_are_closed_in_production_unless_asked_for(
    environment: str, enabled: bool | None, open_: bool
) -> None:
    assert production(environment=environment, docs_enabled=enabled).serves_docs is open_


@pytest.mark.parametrize(
    ("environment", "enabled", "open_"),
    [
        ("development", None, True),
        ("staging", None, False),
        ("production", None, False),
        ("production", True, True),
        ("development", False, False),
    ],
)
def test_agents_are_let_in_in_development_only_unless_asked_for(
    environment: str, enabled: bool | None, open_: bool
) -> None:
    assert production(environment=environment, mcp_enabled=enabled).opens_agents is open_


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis://localhost", "redis://localhost:6379/0"),
        ("redis://:p%40ss@h:6380/2", "redis://:p%40ss@h:6380/2"),
        ("rediss://u:p@h:6379", "rediss://u:p@h:6379/0"),
    ],
)
def test_redis_url_gets_its_port_and_database(given: str, expected: str) -> None:
    redis_url = Settings(database_url=URL, redis_url=given).redis_url
    assert redis_url is not None
    assert redis_url.get_secret_value() == expected


@pytest.mark.parametrize(
    ("values", "apart"),
    [
        ({}, False),
        ({"web_concurrency": 2}, False),
        ({"execute_rate_limit": "1/second"}, False),
        ({"execute_rate_limit": "1/second", "web_concurrency": 2}, True),
        (
            {
                "execute_rate_limit": "1/second",
                "web_concurrency": 2,
                "redis_url": "redis://localhost:6379/0",
            },
            False,
        ),
    ],
)
def test_workers_that_count_rate_limits_apart_are_noticed(
    values: dict[str, Any], apart: bool
) -> None:
    assert Settings(database_url=URL, **values).counts_apart is apart


def test_accounts_door_is_open_exactly_when_its_secret_is_set() -> None:
    settings = Settings(
        database_url=URL, jwt_secret=SECRET, mcp_enabled=False, console_enabled=False
    )
    opened = [door.name for door in open_doors(settings)]
    assert opened == ["commands", "admin", "accounts"]
    assert "accounts" not in [door.name for door in open_doors(Settings(database_url=URL))]


def test_placeholder_of_a_door_is_refused_outside_development() -> None:
    with pytest.raises(ValidationError, match="JWT_SECRET"):
        production(jwt_secret=development_values()["JWT_SECRET"])


def test_password_of_the_mail_server_is_not_ours_to_judge() -> None:
    password = production(smtp_password="changeme").smtp_password
    assert password is not None
    assert password.get_secret_value() == "changeme"


@pytest.mark.parametrize("name", [name.upper() for name in Settings.model_fields])
@pytest.mark.parametrize("file", [".env.example", "docs/configuration.md"])
def test_every_setting_is_documented(file: str, name: str) -> None:
    text = (ROOT / file).read_text()
    pattern = rf"^#? ?{name}=" if file == ".env.example" else rf"^\|\s*`{name}`\s*\|"
    assert re.search(pattern, text, re.MULTILINE)
