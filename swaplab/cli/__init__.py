"""The command line. One file per command; each parses, calls the laboratory, prints, and knows nothing else."""

import sys

import typer

from swaplab.cli.ablate import ablate
from swaplab.cli.calibrate import calibrate
from swaplab.cli.chain import chain
from swaplab.cli.doctor import doctor
from swaplab.cli.kernbench import kernbench
from swaplab.cli.reclaim_batching import reclaim_batching
from swaplab.cli.store import store
from swaplab.cli.sweep import sweep
from swaplab.cli.usemem import usemem

__all__ = ["app", "main"]

app = typer.Typer(
    name="swaplab",
    help="An asyncio emulation of acomp request chaining, Intel IAA accelerators and zswap.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(store)
app.command()(chain)
app.command()(doctor)
app.command()(usemem)
app.command()(kernbench)
app.command()(calibrate)
app.command()(ablate)
app.command()(sweep)
app.command()(reclaim_batching)


@app.callback()
def _commands() -> None:
    """Keep the commands named even while there is one only."""


def main() -> None:
    """Run the command line: exit 0, 1 when pages differed, 2 for unusable arguments or input, 130 when interrupted."""
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
