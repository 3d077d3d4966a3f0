"""A burst of logins on the service as it is served: what it takes of memory and of the others."""

import asyncio
import time
from collections import Counter
from statistics import median

import httpx
import psutil
import pytest

from tests.conftest import Figure
from tests.support.accounts import EMAIL, NEW, PASSWORD, SECRET
from tests.support.service import BY_ITSELF, running

pytestmark = pytest.mark.alone

BURST = 50
MEGABYTE = 1_000_000


def resident(process: psutil.Process) -> float:
    """MB of the largest of the process and its workers."""
    return max(one.memory_info().rss for one in [process, *process.children()]) / MEGABYTE


async def test_burst_of_logins_takes_little_memory_and_leaves_the_others_alone(
    database_url: str, figure: Figure
) -> None:
    settings = {"DATABASE_URL": database_url, "LOG_LEVEL": "ERROR", "JWT_SECRET": SECRET}
    settings["MCP_ENABLED"] = "false"  # what agents' door takes is counted elsewhere
    with running("serve", command=BY_ITSELF, SHUTDOWN_DELAY="0", **settings) as (url, started):
        process = psutil.Process(started.pid)
        async with httpx.AsyncClient(base_url=url, timeout=20, limits=httpx.Limits()) as client:
            await client.post("/api/v1/auth/register", json=NEW)
            before = peak = resident(process)
            burst = asyncio.gather(
                *(
                    client.post("/api/v1/auth/login", json={"email": EMAIL, "password": PASSWORD})
                    for _ in range(BURST)
                )
            )
            began, waits = time.perf_counter(), []
            while not burst.done():
                asked = time.perf_counter()
                assert (await client.get("/health")).status_code == 200
                waits.append(time.perf_counter() - asked)
                peak = max(peak, resident(process))
                await asyncio.sleep(0.01)
            seconds = time.perf_counter() - began
            statuses = Counter(answer.status_code for answer in await burst)
    figure(
        f"{dict(statuses)} in {seconds:.2f} s; worker {before:.0f} MB, at most {peak:.0f} MB; "
        f"health meanwhile: median {median(waits) * 1000:.1f} ms, worst {max(waits) * 1000:.0f} ms"
    )
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 5
    assert peak < before + 25
    assert before < 100
    assert max(waits) < 1
