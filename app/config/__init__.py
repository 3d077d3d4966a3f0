"""Settings from the environment and `.env`, checked before anything starts."""

import re
from typing import Annotated, ClassVar, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode

from app.config.doors import (
    AccountSettings,
    AgentSettings,
    ContactSettings,
    LimitSettings,
    SessionSettings,
    UserTaskSettings,
    WebhookSettings,
)
from app.config.process import ProcessSettings

DEVELOPMENT_ADMIN_KEY = "dev-admin-key-replace-in-production"
# As browsers send it: without a path, and without a port that goes without saying.
_ORIGIN = re.compile(r"(?!https://[^/]*:443$|http://[^/]*:80$)[a-z][a-z0-9+.-]*://[^\s/?#@A-Z]+")
_ADMINISTRATOR = re.compile(r"[A-Za-z0-9._@-]{1,100}")
_LOOPBACK = re.compile(r"localhost|.*\.localhost|127(\.\d+){3}|::1|0\.0\.0\.0")


class ServiceSettings(ProcessSettings):
    """What the service needs whichever doors are open."""

    needed_secrets: ClassVar[frozenset[str]] = frozenset({"admin_api_key", "api_key_secret"})

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
    admin_api_keys: Annotated[
        dict[str, SecretStr] | None,
        NoDecode,
        Field(
            description="More of them, `name:secret,…`: the trail names who did what, "
            "and each can be withdrawn by itself."
        ),
    ] = None
    api_key_secret: Annotated[
        SecretStr | None,
        Field(description="Keys the generator of service keys; required outside development."),
    ] = None
    docs_enabled: Annotated[
        bool | None,
        Field(description="Serve `/docs`, `/redoc`, `/openapi.json`; default: not in production."),
    ] = None
    console_enabled: Annotated[
        bool | None,
        Field(description="Serve `/admin/console`; default: not in production."),
    ] = None
    metrics_keys: Annotated[
        int,
        Field(
            ge=0,
            le=1000,
            description="For how many service keys a worker's metrics have a label; default: none.",
        ),
    ] = 0
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
    purge_after_days: Annotated[
        int, Field(ge=1, le=3650, description="Days for which a deleted task can be restored.")
    ] = 30
    changes_kept_days: Annotated[
        int,
        Field(ge=1, le=3650, description="Days for which a client may be away from the feed."),
    ] = 30
    undo_days: Annotated[
        int,
        Field(
            ge=0,
            le=3650,
            description="Days for which what was overwritten is kept for undo; 0: not at all.",
        ),
    ] = 7

    @model_validator(mode="after")
    def _undone_while_logged(self) -> Self:
        if self.undo_days > self.changes_kept_days:
            raise ValueError("UNDO_DAYS must be at most CHANGES_KEPT_DAYS")
        return self

    @field_validator("admin_api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [pair.strip().partition(":") for pair in value.split(",") if pair.strip()]
        names = [name for name, _, _ in pairs]
        if not all(secret and _ADMINISTRATOR.fullmatch(name) for name, _, secret in pairs):
            raise ValueError("must be like anna:secret,ben:secret")
        if "admin" in names or len(set(names)) < len(names):
            raise ValueError("names an administrator twice; ADMIN_API_KEY is that of admin")
        return {name: SecretStr(secret) for name, _, secret in pairs}

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        if isinstance(value, str):
            return [origin.strip().rstrip("/") for origin in value.split(",") if origin.strip()]
        return value

    @field_validator("cors_origins")
    @classmethod
    def _exact_origins(cls, origins: list[str]) -> list[str]:
        if any("*" in origin for origin in origins):
            raise ValueError("a wildcard would let any website call with credentials")
        if not all(map(_ORIGIN.fullmatch, origins)):
            raise ValueError("must be origins as browsers send them, like https://app.example.com")
        return origins

    @model_validator(mode="after")
    def _ports_apart(self) -> Self:
        if self.metrics_port == self.port:
            raise ValueError("METRICS_PORT must be another port than PORT")
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

    @property
    def serves_console(self) -> bool:
        """Whether administrators have a page."""
        if self.console_enabled is None:
            return self.environment != "production"
        return self.console_enabled


class WorkerSettings(WebhookSettings, ContactSettings, ProcessSettings):
    """What the worker is told: the bucket, what opens webhooks' secrets, and no door's key."""


class Settings(
    WorkerSettings,
    AgentSettings,
    UserTaskSettings,
    AccountSettings,
    SessionSettings,
    LimitSettings,
    ServiceSettings,
):
    """Every setting, by its environment variable in lower case."""

    @model_validator(mode="after")
    def _mail_that_helps(self) -> Self:
        insisting = self.jwt_secret is not None and self.require_verified_email
        if self.environment == "development" or not insisting:
            return self
        if self.smtp_host is None:
            raise ValueError("REQUIRE_VERIFIED_EMAIL needs SMTP_HOST, or nobody gets in")
        if self.links_lead_home:
            raise ValueError("REQUIRE_VERIFIED_EMAIL needs a PUBLIC_URL that its mail can lead to")
        return self

    @model_validator(mode="after")
    def _keys_that_nobody_changes(self) -> Self:
        if self.environment != "development":
            for name in ("better_auth_url", "better_auth_jwks_url"):
                if (getattr(self, name) or "https:").lower().startswith("http:"):
                    raise ValueError(f"{name.upper()} must be https outside development")
        return self

    @property
    def opens_agents(self) -> bool:
        """Whether agents have a way in."""
        if self.mcp_enabled is None:
            return self.environment == "development"
        return self.mcp_enabled

    @property
    def links_lead_home(self) -> bool:
        """Whether the links in mail lead to the reader's own machine."""
        return bool(_LOOPBACK.fullmatch(urlsplit(self.public_url).hostname or ""))

    @property
    def limits_requests(self) -> bool:
        """Whether there are rate limits at all."""
        return bool(self.execute_rate_limit or self.opens_sessions or self.jwt_secret)

    @property
    def counts_apart(self) -> bool:
        """Whether there are rate limits that every worker counts for itself."""
        return self.limits_requests and self.web_concurrency > 1 and self.redis_url is None


Loaded = TypeVar("Loaded", bound=ProcessSettings)


def load(kind: type[Loaded]) -> Loaded:
    """The settings of this kind; ends the process with one clear line when they cannot be used."""
    try:
        return kind()
    except ValidationError as error:
        raise SystemExit(_refusal(error)) from None


def load_settings() -> Settings:
    """Every setting, or the end of the process."""
    return load(Settings)


def settings_to_serve() -> Settings:
    """Every setting, for a process that answers the world.

    That this is development must be written down, as published secrets are accepted there;
    otherwise it is production.
    """
    settings = load(Settings)
    if "environment" in settings.model_fields_set:
        return settings
    try:
        return Settings(environment="production")
    except ValidationError as error:
        raise SystemExit(
            f"{_refusal(error)}; without ENVIRONMENT this is production: "
            "write ENVIRONMENT=development to serve with published secrets"
        ) from None


def _refusal(error: ValidationError) -> str:
    return f"Configuration error: {'; '.join(_complaints(error))}"


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
