"""Which secrets production takes."""

import secrets
from collections.abc import Callable
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from app.config import Settings, WorkerSettings
from app.config.secret_strength import flaws

GUESSABLE = [
    "aaaaaaaaaaaaaaaa",
    "passwordpassword",
    "P@ssw0rd-P@ssw0rd",
    "Password12345678",
    "1234567890123456",
    "9876543210987654",
    "abcdefghijklmnop",
    "0123456789abcdef",
    "aabbccddeeffgghh",
    "abababababababab",
    "deadbeefdeadbeef",
    "0000000000000001",
    "qwertyuiopasdfgh",
    "1q2w3e4r5t6y7u8i",
    "letmeinletmein123",
    "supersecretpassword",
    "admin-api-key-2024-prod",
    "cathouse-admin-2026",
    "thisisaverylongpassword",
    "CorrectHorseBatteryStaple",
]
OWN = {"admin_api_key": secrets.token_hex(32), "api_key_secret": secrets.token_hex(32)}


def settings(**changed: Any) -> Settings:
    values = {"database_url": "postgresql://h/d", "environment": "production", **OWN}
    return Settings(**{**values, **changed})


def refusal(**changed: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        settings(**changed)
    [error] = refused.value.errors()
    return str(error["msg"])


@pytest.mark.parametrize("secret", GUESSABLE)
def test_a_secret_that_could_be_guessed_is_refused(secret: str) -> None:
    said = refusal(admin_api_key=secret, session_hash_secret=f"{secret}{secret}")
    for name in ("ADMIN_API_KEY", "SESSION_HASH_SECRET"):
        assert f"{name} is too easy to guess" in said
    assert secret not in said
    assert "\n" not in said


def test_a_key_of_zeros_is_refused_though_it_encrypts() -> None:
    assert "ENCRYPTION_KEY is too easy" in refusal(encryption_key="A" * 43 + "=")


@pytest.mark.parametrize(
    "make",
    [
        lambda: secrets.token_hex(16),
        lambda: secrets.token_urlsafe(24),
        lambda: str(uuid4()),
        lambda: Fernet.generate_key().decode(),
    ],
    ids=["hex", "base64", "uuid", "fernet"],
)
def test_what_chance_made_is_taken(make: Callable[[], str]) -> None:
    assert flaws({str(number): make() for number in range(2000)}, set()) == []


def test_a_long_passphrase_is_taken() -> None:
    settings(admin_api_key="clump ditto amber quilt vexed ozone rhyme")


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_one_value_for_two_secrets_is_refused(environment: str) -> None:
    names = ["admin_api_key", "api_key_secret", "session_hash_secret", "service_auth_token"]
    names += ["jwt_secret", "better_auth_secret", "task_api_key", "smtp_password"]
    for one, other in pairwise(names):
        same = secrets.token_hex(32)
        said = refusal(environment=environment, **{one: same, other: same})
        assert "must not have the same value" in said
        assert {one.upper(), other.upper()} <= set(said.replace(",", "").split())
        assert same not in said


def test_all_that_is_wrong_is_said_at_once() -> None:
    said = refusal(admin_api_key="short", api_key_secret=None, task_api_key="a" * 16)
    assert all(name in said for name in ("ADMIN_API_KEY", "API_KEY_SECRET", "TASK_API_KEY"))


def test_development_takes_whatever_there_is() -> None:
    settings(environment="development", admin_api_key="a", api_key_secret="a")


def test_the_worker_needs_no_key_of_the_service_but_a_good_one_if_it_has_any() -> None:
    values: dict[str, Any] = {"database_url": "postgresql://h/d", "environment": "production"}
    assert not hasattr(WorkerSettings(**values), "admin_api_key")
    with pytest.raises(ValidationError, match="TASK_API_KEY"):
        WorkerSettings(**values, task_api_key="a" * 16)
