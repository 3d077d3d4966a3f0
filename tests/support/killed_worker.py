"""Workers in processes of their own that start quickly and are killed."""

import asyncio
import multiprocessing
import os
from multiprocessing.process import BaseProcess

from tests.support.receiver import KEY, LOCAL

_PROCESSES = multiprocessing.get_context("forkserver")


def _work(database_url: str) -> None:
    from app.config import WorkerSettings
    from app.logs import configure_logs
    from app.worker import run

    WorkerSettings.model_config["env_file"] = None
    configure_logs("CRITICAL", readable=True)
    settings = WorkerSettings.model_validate(
        {
            "database_url": database_url,
            "encryption_key": KEY,
            "webhook_allow_networks": LOCAL,
            "aws_s3_bucket": None,
        }
    )
    asyncio.run(run.follow(settings))
    os._exit(0)


def start_worker(database_url: str) -> BaseProcess:
    """A worker that tells webhooks, on this machine alone."""
    _PROCESSES.set_forkserver_preload(["app.worker.run"])
    process = _PROCESSES.Process(target=_work, args=(database_url,), daemon=True)
    process.start()
    return process
