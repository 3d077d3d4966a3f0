"""How the implementations beside ours are served: one process, as fast as uvicorn goes."""

import os
import sys
from typing import Any

import uvicorn

DATABASE_URL = os.environ.get("DATABASE_URL", "")
POOL_SIZE = 10
"""As many connections as ours has."""


def serve(app: Any) -> None:
    """Serves the application on the port given as the first argument."""
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
