"""What a module logs, whoever configured logging before."""

from types import ModuleType

import pytest
import structlog

Lines = list[structlog.typing.EventDict]


def lines_of(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Lines:
    """The lines that the module logs from here on."""
    capture = structlog.testing.LogCapture()
    everything = structlog.make_filtering_bound_logger("DEBUG")
    monkeypatch.setattr(module, "logger", structlog.wrap_logger(None, [capture], everything))
    return capture.entries
