"""What clients of several campaigns do: a few calls drawn from a stream of random numbers."""

from collections.abc import Sequence
from random import Random
from typing import Final

from swaplab.stress import World
from zswap import Cgroup

from .observed import Observed
from .pages import Kind

NAP_S = 20e-6
"""So long, up to the jitter longer, do clients pause now and then: as long as a device takes for a few pages."""
MOSTLY_TEXT: Final[tuple[Kind, ...]] = ("text", "text", "text", "text", "text", "text", "text", "random")
"""One folio in eight does not compress."""


async def use(
    world: World,
    observed: Observed,
    random: Random,
    *,
    calls: int,
    slots: int,
    sizes: Sequence[int] = (1, 2, 9),
    cgroup: Cgroup | None = None,
    kinds: Sequence[Kind] = MOSTLY_TEXT,
) -> None:
    """Make so many calls on the first `slots` slots; every other one stores a folio of one of these sizes and kinds."""
    for _ in range(calls):
        offset = random.randrange(slots)
        match random.randrange(8):
            case 0 | 1 | 2 | 3:
                await observed.store(offset, random.choice(sizes), random.choice(kinds), cgroup=cgroup)
            case 4 | 5:
                await observed.load(offset)
            case 6:
                await observed.load(offset, keep=True)
            case _:
                observed.invalidate(offset)
                await world.sleep(NAP_S)
