"""The URLs of PostgreSQL, from any form that users paste."""

import re
from typing import Annotated
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import AfterValidator, SecretStr

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
    return urlunsplit(("postgresql", netloc or "@", path, _query(options), ""))


def _query(options: dict[str, str]) -> str:
    """A blank as `%20`: libpq, unlike asyncpg, takes a `+` for a plus."""
    return urlencode(options, safe="/", quote_via=quote)


def _database_url(secret: SecretStr) -> SecretStr:
    return SecretStr(normalize_database_url(secret.get_secret_value()))


def _primary_url(secret: SecretStr) -> SecretStr:
    """Of several hosts only the primary will do, unless the URL says otherwise."""
    parts = urlsplit(secret.get_secret_value())
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "," not in parts.netloc or "target_session_attrs" in options:
        return secret
    options["target_session_attrs"] = "read-write"
    return SecretStr(urlunsplit(parts._replace(query=_query(options))))


DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
PrimaryUrl = Annotated[DatabaseUrl, AfterValidator(_primary_url)]
