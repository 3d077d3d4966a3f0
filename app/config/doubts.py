"""Settings that are valid and yet hardly meant: what the log warns of at the start."""

import os
from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import SecretStr

from app.config import Settings
from app.logs import logger

# What does nothing unless one of these is set too.
_USELESS_WITHOUT = {
    "webhook_allow_networks": ("encryption_key",),
    "better_auth_jwks_url": ("better_auth_url",),
    "better_auth_issuer": ("better_auth_url",),
    "better_auth_audience": ("better_auth_url",),
    "gemini_base_url": ("encryption_key",),
    "stats_may_lag": ("database_replica_url",),
    "require_verified_email": ("jwt_secret",),
    "public_url": ("jwt_secret",),
    "smtp_host": ("jwt_secret",),
    "smtp_port": ("smtp_host",),
    "smtp_security": ("smtp_host",),
    "smtp_username": ("smtp_host",),
    "smtp_password": ("smtp_username",),
    "mail_from": ("smtp_host",),
    "aws_s3_bucket": ("task_api_key",),
}
_ALIKE = 0.88


def warn_of_doubts(settings: Settings) -> None:
    """Logs one line for each."""
    if settings.counts_apart:
        logger.warning("each_worker_counts_rate_limits_for_itself", remedy="REDIS_URL")
    for name, doubt in [*_useless(settings), *_harmful(settings), *_misspelt(settings)]:
        logger.warning("doubtful_setting", setting=name, doubt=doubt)


def _useless(settings: Settings) -> Iterator[tuple[str, str]]:
    for name, needed in _USELESS_WITHOUT.items():
        if _is_set(settings, name) and not any(_is_set(settings, each) for each in needed):
            yield name.upper(), f"does nothing without {' or '.join(map(str.upper, needed))}"
    if settings.redis_url and not settings.limits_requests:
        yield "REDIS_URL", "does nothing without a rate limit, as EXECUTE_RATE_LIMIT or a key's own"
    replica = settings.database_replica_url
    if replica is not None and _server(replica) == _server(settings.database_url):
        yield "DATABASE_REPLICA_URL", "is DATABASE_URL itself: nothing is taken off it"


def _harmful(settings: Settings) -> Iterator[tuple[str, str]]:
    """What harms whoever is not developing."""
    if settings.environment == "development":
        return
    plain = [origin for origin in settings.cors_origins if origin.startswith("http://")]
    if plain:
        yield "CORS_ORIGINS", f"lets pages call that came unencrypted: {', '.join(plain)}"
    if settings.jwt_secret is not None:
        yield from _harmful_mail(settings)


def _harmful_mail(settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.smtp_host is None:
        yield "SMTP_HOST", "is not set: no mail is sent, nobody can verify an address"
        return
    if settings.links_lead_home:
        yield "PUBLIC_URL", "is the machine of whoever reads the mail: its links lead nowhere"
    elif settings.public_url.startswith("http://"):
        yield "PUBLIC_URL", "is not https: the links in mail carry secrets"
    if settings.mail_from.endswith("@example.com"):
        yield "MAIL_FROM", "is an example: mail servers refuse it"
    if settings.smtp_security == "none" and settings.smtp_username is not None:
        yield "SMTP_SECURITY", "is none: the password of SMTP_USERNAME goes out in plain"
    if (settings.smtp_port, settings.smtp_security) in {(465, "starttls"), (587, "tls")}:
        yield "SMTP_SECURITY", f"is hardly what port {settings.smtp_port} speaks"


def _misspelt(settings: Settings) -> Iterator[tuple[str, str]]:
    """Variables that nobody knows, named almost as one of ours that is not set."""
    known = {name.upper() for name in Settings.model_fields}
    unset = known - {name.upper() for name in settings.model_fields_set}
    for name in sorted(os.environ.keys() | dotenv_values(".env").keys()):
        ours = name.upper() in known or name.startswith("AWS_")  # others read those too
        if not ours and (alike := get_close_matches(name.upper(), unset, 1, _ALIKE)):
            yield name, f"is no setting; {alike[0]} is"


def _is_set(settings: Settings, name: str) -> bool:
    return name in settings.model_fields_set and bool(getattr(settings, name))


def _server(url: SecretStr) -> tuple[str, str]:
    """Where it leads to, whoever asks there and however."""
    parts = urlsplit(url.get_secret_value())
    return parts.netloc.rpartition("@")[2], parts.path
