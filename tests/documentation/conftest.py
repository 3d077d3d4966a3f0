import shutil
from collections.abc import Iterator

import pytest

from tests.conftest import create_clone
from tests.support.service import running


@pytest.fixture(scope="module")
def service(server_url: str, template: str) -> Iterator[str]:
    if shutil.which("curl") is None:
        pytest.skip("NO CURL FOUND: install it to run what the documents print")
    with (
        create_clone(server_url, template) as database_url,
        running("dev", "--no-reload", DATABASE_URL=database_url) as (url, _),
    ):
        yield url
