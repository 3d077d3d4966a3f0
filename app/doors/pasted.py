"""What Swagger UI says is to be pasted, in development, where the whole world knows it."""

from collections.abc import Mapping

from app.config import Settings
from app.doors.door import Pasted

BETTER_AUTH_SECRET = "your-secret-key-minimum-32-characters-long-random-string"  # noqa: S105
_FAR_FUTURE = 4_102_444_800  # 2100-01-01


def known_secret(scheme: str, setting: str, value: str) -> Pasted:
    """The value for the scheme where the whole world knows it: a secret is never told."""

    def pasted(settings: Settings) -> Mapping[str, str]:
        secret = getattr(settings, setting)
        return {scheme: value} if secret and secret.get_secret_value() == value else {}

    return pasted


def service_key(_: Settings) -> Mapping[str, str]:
    """The key that development comes with."""
    from app.auth.service_keys import DEVELOPMENT_VALUE  # noqa: PLC0415

    return {"ServiceKey": DEVELOPMENT_VALUE}


def user_token(settings: Settings) -> Mapping[str, str]:
    """A token of user_123, where the secret that signs it is the well-known one."""
    import jwt  # noqa: PLC0415 - see tokens.verify

    if not known_secret("UserToken", "better_auth_secret", BETTER_AUTH_SECRET)(settings):
        return {}
    claims = {"sub": "user_123", "exp": _FAR_FUTURE}
    return {"UserToken": jwt.encode(claims, BETTER_AUTH_SECRET, "HS256")}
