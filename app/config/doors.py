"""Settings of the doors and of what they share, a class each; Settings inherits them all."""

import re
from ipaddress import ip_network
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    HttpUrl,
    RedisDsn,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    model_validator,
)
from pydantic import ValidationError as InvalidUrl

from app.models.email import Mailbox

_REDIS = TypeAdapter(RedisDsn)
_FERNET_KEY = re.compile(r"[A-Za-z0-9_+/-]{43}=")
_MINIMUM_KEY_LENGTH = 32
_TABLE = r"^[^\W\d][\w$]{0,62}(\.[^\W\d][\w$]{0,62})?$"
_URL = r"^(?i:https?)://[^\s?#@]+$"


def _redis_url(secret: SecretStr) -> SecretStr:
    try:
        return SecretStr(str(_REDIS.validate_python(secret.get_secret_value())))
    except InvalidUrl:
        raise ValueError("must be a redis:// or rediss:// URL") from None


def _rate(text: str) -> str:
    import limits  # noqa: PLC0415 - most workers have no limit to read

    try:
        (rate,) = limits.parse_many(text)
    except ValueError:
        raise ValueError("must be like 600/minute") from None
    if rate.amount < 1:
        raise ValueError("must let something through")
    return text


class SomeSettings(BaseModel, defer_build=True):
    """Settings of one subject; a validator is made of all subjects together."""


class LimitSettings(SomeSettings):
    """How rate limits are counted, and the one of the commands door."""

    redis_url: Annotated[
        Annotated[SecretStr, AfterValidator(_redis_url)] | None,
        Field(description="Redis that counts rate limits for all workers together."),
    ] = None
    execute_rate_limit: Annotated[
        Annotated[str, AfterValidator(_rate)] | None,
        Field(
            description="Commands of one service key, each of a batch too, as `600/minute`; "
            "default: no limit."
        ),
    ] = None


def _fernet_keys(secret: SecretStr) -> SecretStr:
    keys = secret.get_secret_value().split(",")
    if not all(_FERNET_KEY.fullmatch(key) for key in keys):
        raise ValueError("must be 32 bytes in URL-safe base64, or several such keys and commas")
    return secret


def _networks(text: str) -> str:
    try:
        [ip_network(network.strip()) for network in text.split(",")]
    except ValueError as error:
        raise ValueError(f"must be networks as 10.0.0.0/8, comma-separated: {error}") from None
    return text


class WebhookSettings(SomeSettings):
    """What is encrypted at rest, and where webhooks may lead."""

    encryption_key: Annotated[
        Annotated[SecretStr, AfterValidator(_fernet_keys)] | None,
        Field(
            description="Fernet keys of users' API keys and webhooks' secrets, comma-separated; "
            "the first encrypts."
        ),
    ] = None
    webhook_allow_networks: Annotated[
        Annotated[str, AfterValidator(_networks)] | None,
        Field(description="Private networks that webhooks may lead to, as `10.0.0.0/8`."),
    ] = None

    @property
    def opens_webhooks(self) -> bool:
        """Whether there are webhooks: their secrets are kept encrypted or not at all."""
        return self.encryption_key is not None


class SessionSettings(WebhookSettings):
    """The doors of people with sessions: their tasks and the API keys they keep here."""

    session_hash_secret: Annotated[
        SecretStr | None,
        Field(description="Keys the hashes of session tokens, as in the auth server."),
    ] = None
    session_table: Annotated[
        Annotated[str, StringConstraints(pattern=_TABLE)] | None,
        Field(
            description="The auth server's table of sessions, as `session` or `auth.session`; "
            "default: `user_sessions`."
        ),
    ] = None
    service_auth_token: Annotated[
        SecretStr | None,
        Field(description="The `X-Service-Auth` of services that act in a user's name."),
    ] = None
    gemini_base_url: Annotated[
        HttpUrl, Field(description="Where users' API keys for Gemini are tested.")
    ] = HttpUrl("https://generativelanguage.googleapis.com")

    @property
    def accepts_sessions(self) -> bool:
        """Whether there are sessions to look up: hashed ones, or those of a table that is named."""
        return self.session_hash_secret is not None or self.session_table is not None

    @property
    def opens_sessions(self) -> bool:
        """Whether people have a way in."""
        return self.accepts_sessions or self.service_auth_token is not None

    @property
    def opens_user_api_keys(self) -> bool:
        """Whether they may also leave API keys here."""
        return self.opens_sessions and self.encryption_key is not None


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret) < _MINIMUM_KEY_LENGTH:
        raise ValueError(f"must have {_MINIMUM_KEY_LENGTH} or more characters")
    return secret


def _origin(url: str) -> str:
    """The URL without a path, as browsers and Better Auth write it: its own port told only."""
    return str(HttpUrl(url)).removesuffix(HttpUrl(url).path or "")


def _well_formed(url: str) -> str:
    try:
        HttpUrl(url)
    except InvalidUrl:
        raise ValueError("must be a URL") from None
    return url


Url = Annotated[str, StringConstraints(pattern=_URL), AfterValidator(_well_formed)]

SigningKey = Annotated[SecretStr, AfterValidator(_long_enough)]
"""A key of HS256, which is to be no shorter than the hash."""


class UserTaskSettings(SomeSettings):
    """The door of people whom another service signs in."""

    better_auth_secret: Annotated[
        SigningKey | None,
        Field(
            description="Opens the user tasks door for HS256 tokens, and verifies the signatures "
            "of Better Auth's session tokens; 32 characters or more."
        ),
    ] = None
    better_auth_url: Annotated[
        Url | None,
        Field(
            description="Better Auth's `baseURL`: opens the user tasks door for tokens that its "
            "public keys verify; https outside development."
        ),
    ] = None
    better_auth_jwks_url: Annotated[
        Url | None,
        Field(
            description="Where those keys are; default: `/api/auth/jwks` below the URL, or `/jwks` "
            "where that has a path."
        ),
    ] = None
    better_auth_issuer: Annotated[
        str | None, Field(description="The `iss` of those tokens; default: the URL's origin.")
    ] = None
    better_auth_audience: Annotated[
        str | None,
        Field(description="What their `aud` has to be or contain; default: the URL's origin."),
    ] = None

    @property
    def opens_user_tasks(self) -> bool:
        """Whether anything can verify a token."""
        return self.better_auth_secret is not None or self.better_auth_url is not None

    @property
    def token_keys_url(self) -> str | None:
        """Where the public keys are that verify tokens."""
        if self.better_auth_url is None:
            return None
        if self.better_auth_jwks_url is not None:
            return self.better_auth_jwks_url
        url = self.better_auth_url.rstrip("/")
        return f"{url}/jwks" if urlsplit(url).path else f"{_origin(url)}/api/auth/jwks"

    @property
    def token_issuer(self) -> str | None:
        """The `iss` of tokens that count, where Better Auth is known: by default its origin."""
        return self.better_auth_url and (self.better_auth_issuer or _origin(self.better_auth_url))

    @property
    def token_audience(self) -> str | None:
        """Their `aud`, or one of them."""
        return self.better_auth_url and (self.better_auth_audience or _origin(self.better_auth_url))


class AccountSettings(SomeSettings):
    """What the accounts door needs: its key, and a mail server for verification mail."""

    jwt_secret: Annotated[
        SigningKey | None,
        Field(description="Opens the accounts door: signs its tokens; 32 characters or more."),
    ] = None
    require_verified_email: Annotated[
        bool, Field(description="Whether tokens work only once the address is verified.")
    ] = False
    public_url: Annotated[
        str,
        StringConstraints(pattern=r"^https?://[^\s?#]*[^\s?#/]$"),
        Field(description="Where clients reach this service; the links in mail begin with it."),
    ] = "http://localhost:8888"
    smtp_host: Annotated[
        str | None, Field(description="The mail server; without one no mail is sent.")
    ] = None
    smtp_port: Annotated[int, Field(ge=1, le=65535, description="Its port.")] = 587
    smtp_security: Annotated[
        Literal["starttls", "tls", "none"],
        Field(description="How the connection to it is secured: `starttls`, `tls` or `none`."),
    ] = "starttls"
    smtp_username: Annotated[
        str | None, Field(description="Who logs in there; without it nobody does.")
    ] = None
    smtp_password: Annotated[SecretStr | None, Field(description="And with which password.")] = None
    mail_from: Annotated[Mailbox, Field(description="The sender of mail.")] = "no-reply@example.com"

    @model_validator(mode="after")
    def _can_log_in(self) -> Self:
        if self.smtp_host and self.smtp_username and not self.smtp_password:
            raise ValueError("SMTP_USERNAME needs SMTP_PASSWORD")
        return self


class AgentSettings(SomeSettings):
    """The door of agents."""

    mcp_enabled: Annotated[
        bool | None,
        Field(description="Serve the actions to agents at `/mcp`; default: in development only."),
    ] = None


class ContactSettings(SomeSettings):
    """The door of contacts, and the bucket that mirrors what it shows."""

    task_api_key: Annotated[
        SecretStr | None,
        Field(description="The `X-API-Key` of `/users`, `/calls` and `/tasks`; opens them."),
    ] = None
    aws_s3_bucket: Annotated[
        str | None,
        Field(description="The S3 bucket that mirrors contacts, calls and tasks; default: none."),
    ] = None
    aws_region: Annotated[str, Field(description="The bucket's region.")] = "us-east-1"
    aws_endpoint_url: Annotated[
        str | None, Field(description="Another S3 than Amazon's: LocalStack, MinIO.")
    ] = None
    aws_access_key_id: Annotated[
        str | None,
        Field(description="Key of the bucket; default: the role of the machine or the ECS task."),
    ] = None
    aws_secret_access_key: Annotated[
        SecretStr | None, Field(description="Secret of `AWS_ACCESS_KEY_ID`.")
    ] = None

    @model_validator(mode="after")
    def _whole_key(self) -> Self:
        if self.aws_s3_bucket and bool(self.aws_access_key_id) != bool(self.aws_secret_access_key):
            raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY need each other")
        return self
