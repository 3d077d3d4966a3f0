"""Settings that every process has, whatever its errand."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.config.database_url import DatabaseUrl, PrimaryUrl
from app.config.secret_strength import flaws

_URLS = frozenset({"database_url", "migration_database_url", "database_replica_url", "redis_url"})
# Other services made these: how good they are is not ours to judge.
_OF_OTHERS = frozenset({"smtp_password", "aws_secret_access_key"})


class ProcessSettings(BaseSettings):
    """What every process is told: where PostgreSQL is, and how to log."""

    needed_secrets: ClassVar[frozenset[str]] = frozenset()
    """What a process of this kind cannot do without outside development."""

    model_config = SettingsConfigDict(
        env_file=".env",
        extra="ignore",
        hide_input_in_errors=True,
        env_ignore_empty=True,
        defer_build=True,
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
        Field(
            description="Outside development placeholder secrets are refused. "
            "Whoever serves without it is in production."
        ),
    ] = "development"
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        Field(description="The least severe level that is logged."),
    ] = "INFO"
    metrics_port: Annotated[
        int | None,
        Field(
            ge=1,
            le=65535,
            description="Port of `/metrics` without a key, beside the one under `X-Admin-Key`.",
        ),
    ] = None
    database_pool_size: Annotated[
        int, Field(ge=1, description="Most connections one worker opens.")
    ] = 10
    database_statement_cache_size: Annotated[
        int,
        Field(
            ge=0,
            description="Most prepared statements a connection keeps; "
            "none where a pooler does not track them.",
        ),
    ] = 100

    @model_validator(mode="after")
    def _good_secrets(self) -> Self:
        if self.environment == "development":
            return self
        secrets = {
            name.upper(): value.get_secret_value() if value else None
            for name, value in self
            if name not in _URLS and (isinstance(value, SecretStr) or name in self.needed_secrets)
        } | {
            f"{name.upper()} of {holder}": secret.get_secret_value()
            for name, value in self
            if isinstance(value, Mapping)
            for holder, secret in value.items()
        }
        if faults := flaws(secrets, not_judged={name.upper() for name in _OF_OTHERS}):
            raise ValueError("; ".join(faults))
        return self
