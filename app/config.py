"""Settings from the environment and `.env`, checked before anything starts."""

import re
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.door_settings import (
    AccountSettings,
    ContactSettings,
    LimitSettings,
    SessionSettings,
    UserTaskSettings,
)

DEVELOPMENT_ADMIN_KEY = "dev-admin-key-replace-in-production"
_PLACEHOLDER = re.compile(
    r"^(dev|your|test|demo)[-_]|change|replace|example|placeholder|secret-key"
)
_MINIMUM_SECRET_LENGTH = 16
# Secrets of other services, or URLs with one in them, which are not ours to judge.
_OF_OTHERS = frozenset(
    {
        "database_url",
        "migration_database_url",
        "database_replica_url",
        "redis_url",
        "smtp_password",
        "aws_secret_access_key",
    }
)
DEVELOPMENT_VALUES = {
    "SESSION_HASH_SECRET": "your-secret-key-change-this-in-production",
    "SERVICE_AUTH_TOKEN": "your-service-auth-token-change-this",
    "ENCRYPTION_KEY": "dev-encryption-key-replace-in-production-00=",
    "JWT_SECRET": "dev-jwt-secret-replace-in-production",
    "BETTER_AUTH_SECRET": "your-secret-key-minimum-32-characters-long-random-string",
    "TASK_API_KEY": "demo-secret-key-change-in-production",
}
"""What `python -m app dev` sets, where nothing else does, so that every door is open."""
_PORT = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(:\d*)?")


def normalize_database_url(url: str) -> str:
    """The URL as asyncpg takes it, from any form that users paste.

    Drivers in the scheme and Neon's `channel_binding` are dropped; `ssl=` becomes `sslmode=`.
    """
    scheme, netloc, path, query, fragment = urlsplit(url)
    if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError("must start with postgresql://")
    if fragment or not all(map(_PORT.fullmatch, netloc.rpartition("@")[2].split(","))):
        raise ValueError("has no valid host and port; write a # in a password as %23")
    options = dict(parse_qsl(query, keep_blank_values=True))
    options.pop("channel_binding", None)
    if "ssl" in options:
        options.setdefault("sslmode", options.pop("ssl"))
    # A URL whose netloc is empty (a socket directory in the query) keeps its two slashes.
    return urlunsplit(("postgresql", netloc or "@", path, urlencode(options, safe="/"), ""))


def _database_url(secret: SecretStr) -> SecretStr:
    return SecretStr(normalize_database_url(secret.get_secret_value()))


def _primary_url(secret: SecretStr) -> SecretStr:
    """Of several hosts only the primary will do, unless the URL says otherwise."""
    parts = urlsplit(secret.get_secret_value())
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "," not in parts.netloc or "target_session_attrs" in options:
        return secret
    options["target_session_attrs"] = "read-write"
    return SecretStr(urlunsplit(parts._replace(query=urlencode(options, safe="/"))))


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
PrimaryUrl = Annotated[DatabaseUrl, AfterValidator(_primary_url)]


class ServiceSettings(BaseSettings):
    """What the service needs whichever doors are open."""

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", hide_input_in_errors=True, env_ignore_empty=True
    )

    database_url: Annotated[
        PrimaryUrl,
        Field(
            description="PostgreSQL, also behind PgBouncer or Neon's pooler; "
            "of several hosts the one that takes writes."
        ),
    ]
    migration_database_url: Annotated[
        PrimaryUrl | None,
        Field(description="Direct connection for migrations; default `DATABASE_URL`."),
    ] = None
    database_replica_url: Annotated[
        DatabaseUrl | None,
        Field(description="A streaming replica, for lists and statistics."),
    ] = None
    stats_may_lag: Annotated[
        bool, Field(description="`GET /stats` takes the replica as it is, however far behind.")
    ] = False
    environment: Annotated[
        Literal["development", "staging", "production"],
        Field(description="Outside development placeholder secrets are refused."),
    ] = "development"
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        Field(description="The least severe level that is logged."),
    ] = "INFO"
    port: Annotated[int, Field(ge=1, le=65535, description="Port to listen on.")] = 8000
    cors_origins: Annotated[
        list[str],
        NoDecode,
        Field(description="Comma-separated origins that browsers may call from; never `*`."),
    ] = ["http://localhost:3000"]
    admin_api_key: Annotated[
        SecretStr,
        Field(description="The `X-Admin-Key` of `/admin`; required outside development."),
    ] = SecretStr(DEVELOPMENT_ADMIN_KEY)
    api_key_secret: Annotated[
        SecretStr | None,
        Field(description="Keys the generator of service keys; required outside development."),
    ] = None
    docs_enabled: Annotated[
        bool | None,
        Field(description="Serve `/docs`, `/redoc`, `/openapi.json`; default: not in production."),
    ] = None
    web_concurrency: Annotated[
        int, Field(ge=1, description="Worker processes of `python -m app serve`.")
    ] = 1
    shutdown_delay: Annotated[
        float,
        Field(
            ge=0,
            le=5,
            description="Seconds for which a stopping worker still serves, closing connections.",
        ),
    ] = 3
    metrics_port: Annotated[
        int | None,
        Field(
            ge=1,
            le=65535,
            description="Port of `/metrics` without a key, beside the one under `X-Admin-Key`.",
        ),
    ] = None
    purge_after_days: Annotated[
        int, Field(ge=1, le=3650, description="Days for which a deleted task can be restored.")
    ] = 30
    database_pool_size: Annotated[
        int, Field(ge=1, description="Most connections one worker opens.")
    ] = 10
    database_statement_cache_size: Annotated[
        int,
        Field(ge=0, description="Prepared statements kept; 0 behind PgBouncer before 1.21."),
    ] = 100

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            return [origin.strip().rstrip("/") for origin in value.split(",") if origin.strip()]
        return value

    @field_validator("cors_origins")
    @classmethod
    def _no_wildcard(cls, origins: list[str]) -> list[str]:
        if any("*" in origin for origin in origins):
            raise ValueError("a wildcard would let any website call with credentials")
        return origins

    @model_validator(mode="after")
    def _no_placeholder_secrets(self) -> Self:
        if self.environment == "development":
            return self
        secrets = {name: value for name, value in self if isinstance(value, SecretStr)}
        required = {name: secrets.get(name) for name in ("admin_api_key", "api_key_secret")}
        for name, secret in (required | secrets).items():
            if name in _OF_OTHERS:
                continue
            if secret is None or _is_placeholder(secret.get_secret_value()):
                raise ValueError(
                    f"{name.upper()} must be a real secret of {_MINIMUM_SECRET_LENGTH} or more "
                    "characters outside development"
                )
        return self

    @property
    def generator_secret(self) -> str | None:
        """What keys the generator of service keys."""
        return self.api_key_secret.get_secret_value() if self.api_key_secret else None

    @property
    def serves_docs(self) -> bool:
        """Whether the interactive documentation is open."""
        if self.docs_enabled is None:
            return self.environment != "production"
        return self.docs_enabled


class Settings(
    ContactSettings,
    UserTaskSettings,
    AccountSettings,
    SessionSettings,
    LimitSettings,
    ServiceSettings,
):
    """Every setting, by its environment variable in lower case."""

    @property
    def doors(self) -> list[str]:
        """The names of the open doors; `app.doors` has their routers."""
        opened = {
            "commands": True,
            "sessions": self.opens_sessions,
            "user-api-keys": self.opens_user_api_keys,
            "accounts": self.jwt_secret is not None,
            "user-tasks": self.better_auth_secret is not None,
            "contacts": self.task_api_key is not None,
        }
        return [name for name, is_open in opened.items() if is_open]

    @property
    def limits_requests(self) -> bool:
        """Whether there are rate limits at all."""
        return bool(self.execute_rate_limit or self.opens_sessions or self.jwt_secret)

    @property
    def counts_apart(self) -> bool:
        """Whether there are rate limits that every worker counts for itself."""
        return self.limits_requests and self.web_concurrency > 1 and self.redis_url is None


def _is_placeholder(secret: str) -> bool:
    return len(secret) < _MINIMUM_SECRET_LENGTH or bool(_PLACEHOLDER.search(secret.lower()))


def load_settings() -> Settings:
    """The settings of this process; ends it with one clear line when they cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        raise SystemExit(f"Configuration error: {'; '.join(_complaints(error))}") from None


def _complaints(error: ValidationError) -> list[str]:
    complaints = []
    for details in error.errors(include_input=False):
        name = ".".join(map(str, details["loc"])).upper()
        message = details["msg"].removeprefix("Value error, ")
        if details["type"] == "missing":
            message = "is not set (see .env.example)"
        complaints.append(f"{name} {message}".strip())
    return complaints


def __getattr__(name: str) -> Settings:
    """`app.config.settings`, for a look from the shell at what is in force."""
    if name == "settings":
        return load_settings()
    raise AttributeError(name)
