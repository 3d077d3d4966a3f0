"""Combinations of settings that do harm are refused; those that make no sense are warned of."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

import app.config.doubts
from app.config import Settings
from app.config.doubts import warn_of_doubts
from tests.support.log_lines import lines_of

URL = "postgresql://u:p@h:5432/tasks"
PRODUCTION = {
    "environment": "production",
    "admin_api_key": "5f0c4c1d9be84a7fa3e1",
    "api_key_secret": "d41d8cd98f00b204e9800998ecf8427e",
    "cors_origins": ["https://cathouse.example"],
}
JWT = {"jwt_secret": "8d969eef6ecad3c29a3a629280e686cf0c3f5d5a"}
MAIL = {
    **JWT,
    "smtp_host": "smtp.cathouse.dev",
    "mail_from": "no-reply@cathouse.dev",
    "public_url": "https://tasks.cathouse.dev",
}


Doubts = Callable[..., dict[str, str]]


@pytest.fixture
def doubts(monkeypatch: pytest.MonkeyPatch) -> Doubts:
    """What the log says of these settings, by setting."""
    lines = lines_of(app.config.doubts, monkeypatch)

    def doubts(**values: Any) -> dict[str, str]:
        lines.clear()
        warn_of_doubts(Settings(**{"database_url": URL, **values}))
        levels = {(line["event"], line["log_level"]) for line in lines}
        assert levels <= {("doubtful_setting", "warning")}
        said = {line["setting"]: line["doubt"] for line in lines}
        assert len(said) == len(lines)
        return said

    return doubts


@pytest.mark.parametrize(
    ("values", "setting", "missing"),
    [
        (
            {"webhook_allow_networks": "10.0.0.0/8"},
            "WEBHOOK_ALLOW_NETWORKS",
            "ENCRYPTION_KEY",
        ),
        ({"gemini_base_url": "https://gemini.example"}, "GEMINI_BASE_URL", "ENCRYPTION_KEY"),
        ({"stats_may_lag": True}, "STATS_MAY_LAG", "DATABASE_REPLICA_URL"),
        ({"require_verified_email": True}, "REQUIRE_VERIFIED_EMAIL", "JWT_SECRET"),
        ({"public_url": "https://tasks.example"}, "PUBLIC_URL", "JWT_SECRET"),
        ({"smtp_host": "smtp.example"}, "SMTP_HOST", "JWT_SECRET"),
        ({"smtp_username": "whiskers"}, "SMTP_USERNAME", "SMTP_HOST"),
        ({"smtp_password": "s"}, "SMTP_PASSWORD", "SMTP_USERNAME"),
        ({"smtp_port": 25}, "SMTP_PORT", "SMTP_HOST"),
        ({"smtp_security": "tls"}, "SMTP_SECURITY", "SMTP_HOST"),
        ({"mail_from": "cat@example.org"}, "MAIL_FROM", "SMTP_HOST"),
        ({"aws_s3_bucket": "bucket"}, "AWS_S3_BUCKET", "TASK_API_KEY"),
        ({"redis_url": "redis://localhost"}, "REDIS_URL", "EXECUTE_RATE_LIMIT"),
    ],
)
def test_a_setting_without_what_it_needs_is_warned_of(
    values: dict[str, Any], setting: str, missing: str, doubts: Doubts
) -> None:
    said = doubts(**values)
    assert list(said) == [setting]
    assert missing in said[setting]


@pytest.mark.parametrize("replica", [URL, "postgresql+asyncpg://reader:q@h:5432/tasks?ssl=require"])
def test_a_replica_that_is_the_primary_is_warned_of(replica: str, doubts: Doubts) -> None:
    assert list(doubts(database_replica_url=replica)) == ["DATABASE_REPLICA_URL"]
    assert doubts(database_replica_url="postgresql://u:p@replica:5432/tasks") == {}


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"cors_origins": ["https://a.example", "http://localhost:3000"]}, "CORS_ORIGINS"),
        (JWT, "SMTP_HOST"),
        ({**MAIL, "public_url": "http://localhost:8888"}, "PUBLIC_URL"),
        ({**MAIL, "public_url": "http://127.0.0.1"}, "PUBLIC_URL"),
        ({**MAIL, "public_url": "http://tasks.cathouse.dev"}, "PUBLIC_URL"),
        ({**MAIL, "mail_from": "no-reply@example.com"}, "MAIL_FROM"),
        (
            {**MAIL, "smtp_security": "none", "smtp_username": "w", "smtp_password": "s"},
            "SMTP_SECURITY",
        ),
        ({**MAIL, "smtp_port": 465}, "SMTP_SECURITY"),
        ({**MAIL, "smtp_security": "tls"}, "SMTP_SECURITY"),
    ],
)
def test_what_harms_users_is_warned_of_outside_development(
    values: dict[str, Any], setting: str, doubts: Doubts
) -> None:
    assert list(doubts(**{**PRODUCTION, **values})) == [setting]
    assert doubts(**{**PRODUCTION, **values, "environment": "development"}) == {}


def test_nothing_is_said_of_sound_settings(doubts: Doubts) -> None:
    assert doubts() == {}
    assert doubts(**PRODUCTION, **MAIL) == {}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("ENVIROMENT", "ENVIRONMENT"), ("CORS_ORIGIN", "CORS_ORIGINS"), ("redis_uri", "REDIS_URL")],
)
def test_a_misspelt_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str, doubts: Doubts
) -> None:
    monkeypatch.setenv(name, "x")
    assert doubts() == {name: f"is no setting; {meant} is"}


@pytest.mark.parametrize("name", ["TEST_DATABASE_URL", "REDIS_PORT", "AWS_ENDPOINT_URL_S3", "HOST"])
def test_other_programs_variables_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, doubts: Doubts
) -> None:
    monkeypatch.setenv(name, "x")
    assert doubts() == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"metrics_port": 8000}, "METRICS_PORT must be another port than PORT"),
        ({**MAIL, "smtp_username": "w"}, "SMTP_USERNAME needs SMTP_PASSWORD"),
        ({**JWT, "require_verified_email": True}, "REQUIRE_VERIFIED_EMAIL needs SMTP_HOST"),
        (
            {**MAIL, "require_verified_email": True, "public_url": "http://localhost:8888"},
            "REQUIRE_VERIFIED_EMAIL needs a PUBLIC_URL",
        ),
        ({"aws_s3_bucket": "b", "aws_access_key_id": "k"}, "AWS_SECRET_ACCESS_KEY need each other"),
        (
            {"aws_s3_bucket": "b", "aws_secret_access_key": "k"},
            "AWS_SECRET_ACCESS_KEY need each other",
        ),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(**{"database_url": URL, **PRODUCTION, **values})


@pytest.mark.parametrize(
    "origin",
    [
        *("app.example.com", "localhost:3000", "null", "//app.example.com", "https://"),
        *(
            "https://app.example.com/tasks",
            "https://app.example.com?x",
            "https://u@app.example.com",
        ),
        *("https://App.example.com", "https://app.example.com:443", "http://app.example.com:80"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", f"https://fine.example.com,{origin}")
    with pytest.raises(ValidationError, match="must be origins as browsers send them"):
        Settings(database_url=URL)


@pytest.mark.parametrize(
    "origin",
    [
        *("https://app.example.com", "http://localhost:3000", "https://app.example.com:8443"),
        *("http://[::1]:3000", "capacitor://localhost", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_that_browsers_send_is_taken(
    monkeypatch: pytest.MonkeyPatch, origin: str
) -> None:
    monkeypatch.setenv("CORS_ORIGINS", f"{origin}/")
    assert Settings(database_url=URL).cors_origins == [origin]
