"""What becomes of a database URL's options."""

from typing import Any

import pytest

from app.config import Settings
from app.config.database_url import normalize_database_url


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
