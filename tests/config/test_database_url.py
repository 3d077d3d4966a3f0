"""What becomes of a database URL: its form, its hosts, its options."""

from typing import Any

import pytest
from asyncpg import connect_utils
from pydantic import ValidationError

from app.config import Settings
from app.config.database_url import normalize_database_url
from tests.config.test_settings import URL

NORMALIZED = [
    ("postgresql://u:p@h:5432/d", "postgresql://u:p@h:5432/d"),
    ("postgres://u:p@h:5432/d", "postgresql://u:p@h:5432/d"),
    ("postgresql+asyncpg://u:p@h/d", "postgresql://u:p@h/d"),
    ("postgresql+psycopg2://u:p@h/d", "postgresql://u:p@h/d"),
    (f"{URL}?sslmode=require", f"{URL}?sslmode=require"),
    (f"{URL}?ssl=require", f"{URL}?sslmode=require"),
    (f"{URL}?sslmode=require&channel_binding=require", f"{URL}?sslmode=require"),
    (f"{URL}?channel_binding=require", URL),
    ("postgresql://u@/d?host=/run/pg", "postgresql://u@/d?host=/run/pg"),
    ("postgresql://u@/d?host=%2Frun%2Fpg", "postgresql://u@/d?host=/run/pg"),
    ("postgresql://u:p@h1:5432,h2:5433/d", "postgresql://u:p@h1:5432,h2:5433/d"),
    ("postgresql://u:p%40%2F%3A%23%25@h/d", "postgresql://u:p%40%2F%3A%23%25@h/d"),
    ("postgresql://u:p@[::1]:5432/d", "postgresql://u:p@[::1]:5432/d"),
]


def parsed(url: str) -> tuple[Any, Any]:
    """Addresses and parameters as asyncpg understands the URL."""
    absent = dict.fromkeys(
        [
            *("host", "port", "user", "password", "passfile", "database", "ssl", "service"),
            *("servicefile", "direct_tls", "server_settings", "target_session_attrs"),
            *("krbsrvname", "gsslib"),
        ]
    )
    addresses, parameters = connect_utils._parse_connect_dsn_and_args(  # type: ignore[attr-defined]
        dsn=url, **absent
    )
    return addresses, parameters


@pytest.mark.parametrize(
    ("given", "asked_for"),
    [
        ("postgresql://u:p@h1,h2/d", "read-write"),
        ("postgresql://u:p@h1,h2/d?target_session_attrs=primary", "primary"),
        (URL, "any"),
    ],
)
@pytest.mark.parametrize("name", ["database_url", "migration_database_url"])
def test_of_several_hosts_the_one_that_takes_writes_is_asked_for(
    name: str, given: str, asked_for: str
) -> None:
    values: dict[str, Any] = {"database_url": URL, name: given}
    settings = Settings(**values)
    assert parsed(getattr(settings, name).get_secret_value())[1].target_session_attrs == asked_for


@pytest.mark.parametrize(("given", "expected"), NORMALIZED)
def test_database_url_of_any_form_becomes_one_that_asyncpg_takes(given: str, expected: str) -> None:
    assert normalize_database_url(given) == expected
    assert normalize_database_url(expected) == expected
    _, parameters = parsed(expected)
    assert (parameters.user, parameters.database) == ("u", "d")


def test_nothing_is_lost_on_the_way_to_asyncpg() -> None:
    several, _ = parsed(normalize_database_url("postgres://u:p@h1:5432,h2:5433/d"))
    assert several == [("h1", 5432), ("h2", 5433)]
    socket, _ = parsed(normalize_database_url("postgresql://u@/d?host=/run/pg"))
    assert socket == ["/run/pg/.s.PGSQL.5432"]
    _, parameters = parsed(normalize_database_url("postgresql://u:p%40%2F%3A%23%25@h/d"))
    assert parameters.password == "p@/:#%"
    _, parameters = parsed(normalize_database_url("postgresql+asyncpg://u:p@h/d?ssl=require"))
    assert parameters.ssl
    assert parameters.sslmode.name == "require"


def test_host_and_user_may_both_come_from_the_query_or_nowhere() -> None:
    addresses, parameters = parsed(normalize_database_url("postgresql:///d?host=/run/pg&user=u"))
    assert addresses == ["/run/pg/.s.PGSQL.5432"]
    assert (parameters.user, parameters.database) == ("u", "d")
    _, parameters = parsed(normalize_database_url("postgresql:///d"))
    assert parameters.database == "d"


@pytest.mark.parametrize("url", ["mysql://u:p@h/d", "sqlite:///tasks.db", "h:5432/d", "http://h"])
def test_url_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match=r"must start with postgresql://"):
        Settings(database_url=url)


def test_a_blank_in_an_option_is_spelled_as_every_client_reads_it() -> None:
    url = "postgresql://u:p@h/d?options=-c%20statement_timeout%3D5s&application_name=cat+house"
    expected = (
        "postgresql://u:p@h/d?options=-c%20statement_timeout%3D5s&application_name=cat%20house"
    )
    assert normalize_database_url(url) == expected
    assert normalize_database_url(expected) == expected


@pytest.mark.parametrize("name", ["database_url", "migration_database_url"])
def test_the_blank_is_kept_where_the_primary_is_asked_for(name: str) -> None:
    values: dict[str, Any] = {"database_url": "postgresql://u:p@h/d"}
    values[name] = "postgresql://u:p@h1,h2/d?options=-c%20jit%3Doff"
    url = getattr(Settings(**values), name).get_secret_value()
    assert url.endswith("?options=-c%20jit%3Doff&target_session_attrs=read-write")
