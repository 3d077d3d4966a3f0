"""Workers in processes of their own, which start in no time and may be killed."""

import asyncio
import multiprocessing
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

from app.config import Settings
from app.logs import configure_logs
from app.worker import run

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["tests.support.fleet"])


def _follow(values: Mapping[str, object]) -> None:
    settings = Settings(**values)  # type: ignore[arg-type]
    configure_logs(settings.log_level, readable=False)
    asyncio.run(run.follow(settings))


class Fleet:
    """So many workers at any time, each killed one replaced at once."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.aws_secret_access_key
        self._values = settings.model_dump(exclude_none=True) | {
            "database_url": settings.database_url.get_secret_value(),
            "aws_secret_access_key": secret.get_secret_value() if secret else None,
        }
        self._workers: list[BaseProcess] = []

    def start(self) -> None:
        """Adds a worker."""
        worker = _FORK.Process(target=_follow, args=(self._values,))
        worker.start()
        self._workers.append(worker)

    def kill_one(self) -> None:
        """Kills a worker as `kill -9` does and starts another."""
        victim = self._workers.pop(random.randrange(len(self._workers)))
        victim.kill()
        victim.join()
        self.start()

    def stop(self) -> list[int | None]:
        """Tells all to stop; returns what they ended with."""
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.join(15)
        return [worker.exitcode for worker in self._workers]


@contextmanager
def fleet(settings: Settings, size: int) -> Iterator[Fleet]:
    """A fleet of this size, which ends gracefully."""
    workers = Fleet(settings)
    for _ in range(size):
        workers.start()
    try:
        yield workers
    finally:
        codes = workers.stop()
    assert codes == [0] * size
