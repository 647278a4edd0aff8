"""The command line. One file per command; each parses, calls the laboratory, prints, and knows nothing else."""

import sys

__all__ = ["main"]

INTERRUPTED = 130
"""The exit code, and what typer makes of Ctrl-C."""


def main() -> None:
    """Run the command line: exit 0, 1 when pages differed, 2 for unusable arguments or input, 130 when interrupted."""
    try:
        from swaplab.cli.commands import app  # here, since this takes long enough for a Ctrl-C

        app()
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != INTERRUPTED:
            raise
        print("interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
