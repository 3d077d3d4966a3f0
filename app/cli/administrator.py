"""Who acts at the command line, as the trail names it."""

import socket
from getpass import getuser

from app.models.audit import Author


def administrator() -> Author:
    """Whoever is logged in here, and on which machine."""
    try:
        name = getuser()
    except (OSError, KeyError):  # a container's user without a name
        name = "unknown"
    return Author(f"cli:{name}", socket.gethostname()[:255])
