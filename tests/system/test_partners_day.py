import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.service import running

SCRIPT = Path(__file__).with_name("contacts.sh")


@pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("jq")), reason="NO CURL OR JQ FOUND: install both"
)
def test_a_partners_day_with_curl_goes_as_the_document_prints_it(database_url: str) -> None:
    with running("dev", "--no-reload", DATABASE_URL=database_url) as (url, _):
        script = SCRIPT.read_text().replace("http://localhost:8000", url)
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[-1] == "Done."
