"""Settings of the doors and of what they share, a class each; Settings inherits them all."""

from typing import Annotated

import limits
from pydantic import AfterValidator, BaseModel, Field, RedisDsn, SecretStr, TypeAdapter
from pydantic import ValidationError as InvalidUrl

_REDIS = TypeAdapter(RedisDsn)


def _redis_url(secret: SecretStr) -> SecretStr:
    try:
        return SecretStr(str(_REDIS.validate_python(secret.get_secret_value())))
    except InvalidUrl:
        raise ValueError("must be a redis:// or rediss:// URL") from None


def _rate(text: str) -> str:
    try:
        (rate,) = limits.parse_many(text)
    except ValueError:
        raise ValueError("must be like 600/minute") from None
    if rate.amount < 1:
        raise ValueError("must let something through")
    return text


class LimitSettings(BaseModel):
    """How rate limits are counted, and the one of the commands door."""

    redis_url: Annotated[
        Annotated[SecretStr, AfterValidator(_redis_url)] | None,
        Field(description="Redis that counts rate limits for all workers together."),
    ] = None
    execute_rate_limit: Annotated[
        Annotated[str, AfterValidator(_rate)] | None,
        Field(description="Commands of one service key, as `600/minute`; default: no limit."),
    ] = None
