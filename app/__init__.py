"""Task Manager API: the command service behind Whiskers, the task manager cat of Cat House."""

__version__ = "0.1.0"
