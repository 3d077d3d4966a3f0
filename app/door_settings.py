"""The settings of the doors that a deployment may open, a class for each door."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints

from app.models.account import Email

_MINIMUM_KEY_LENGTH = 32


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret) < _MINIMUM_KEY_LENGTH:
        raise ValueError(f"must have {_MINIMUM_KEY_LENGTH} or more characters")
    return secret


SigningKey = Annotated[SecretStr, AfterValidator(_long_enough)]
"""A key of HS256, which is to be no shorter than the hash."""


class AccountSettings(BaseModel):
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
    mail_from: Annotated[Email, Field(description="The sender of mail.")] = "no-reply@example.com"
