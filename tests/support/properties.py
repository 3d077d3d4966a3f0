"""Properties that hypothesis explores."""

import asyncio
import warnings
from typing import Any

from hypothesis.errors import HypothesisDeprecationWarning


async def explored(check: Any) -> None:
    """Runs a property of this loop's connections, which hypothesis would give a loop of its own."""
    inner = check.hypothesis.inner_test
    loop = asyncio.get_running_loop()

    def in_loop(**drawn: Any) -> None:
        asyncio.run_coroutine_threadsafe(inner(**drawn), loop).result(60)

    check.hypothesis.inner_test = in_loop
    with warnings.catch_warnings():
        # It takes what the loop draws at random meanwhile for a strategy's.
        warnings.simplefilter("ignore", HypothesisDeprecationWarning)
        await asyncio.to_thread(check)
