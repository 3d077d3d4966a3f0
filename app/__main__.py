"""The command line: `python -m app --help`."""

from app.cli import cli

if __name__ == "__main__":
    cli(prog_name="python -m app")
