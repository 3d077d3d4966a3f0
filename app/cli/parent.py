"""Processes that are of no use without the one that started them."""

import os
import signal
import threading
import time

VARIABLE = "TASK_MANAGER_PARENT"
"""Names the process without which a command is to end."""

_SECONDS_BETWEEN_LOOKS = 0.5


def end_with(parent: int) -> None:
    """Ends this process, as SIGTERM would, when its parent is no longer that process."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def end_with_the_named() -> None:
    """Ends this process with the parent that its environment names, if it does."""
    if named := os.environ.pop(VARIABLE, None):
        end_with(int(named))
