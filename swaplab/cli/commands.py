"""The commands, one file each."""

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

__all__ = ["app"]

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
