"""The commands of `python -m app`, one file for each group."""
