"""`swaplab chain`: run one chain and see it happen."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from iaa_emulator import ConfigurationError
from swaplab.cli.options import Interface, SyncMode
from swaplab.cli.outputs import writable, writing
from swaplab.cli.pictures import show, width_of
from swaplab.cli.refusals import refusals
from swaplab.story.picture import draw
from swaplab.story.story import Story, run_story


def chain(
    pages: Annotated[int, typer.Option(min=1, max=64, help="Pages, one for each request in the chain.")] = 8,
    devices: Annotated[int, typer.Option(min=0, max=8, help="Devices of the machine.")] = 4,
    wqs: Annotated[int, typer.Option(min=1, max=8, help="Queues per device; with two, the second is global.")] = 2,
    sync_mode: Annotated[SyncMode, typer.Option(help="How the driver runs a chain.")] = SyncMode.ASYNC,
    interface: Annotated[Interface, typer.Option(help="How the pages go down: v8, v9 or v14.")] = Interface.CHAIN,
    fail: Annotated[int | None, typer.Option(metavar="K", help="The device refuses request K (0: the head).")] = None,
    incompressible: Annotated[int | None, typer.Option(metavar="K", help="Page K does not compress.")] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", callback=writable, help="Save the events to FILE as JSON.")
    ] = None,
) -> None:
    """Run one chain on a stepped accelerator and draw it: a row per request, a column per event.

    With --interface the same pages go down as arrays, or as the units of one request: see docs/generations.md. What
    is wider than the terminal goes on below. Takes about a second.
    """
    with refusals("chain", ValueError, ConfigurationError):
        story = Story(
            pages=pages,
            devices=devices,
            wqs=wqs,
            sync_mode=sync_mode.value,
            interface=interface.value,
            fail=fail,
            incompressible=incompressible,
        )
        recording = run_story(story)
    with writing("chain", trace, recording.model_dump_json(by_alias=True, indent=2) + "\n"):
        console = Console()
        show(console, draw(recording, width_of(console)))
