"""What starting costs: processor time of `import acomp, iaa_emulator, zswap`, in a process of its own."""

import resource
import statistics

from .rows import Row
from .trees import HERE, Tree

ALL = "import acomp, iaa_emulator, zswap"
TARGET_S, AIM_S, BEFORE_S = 0.36, 0.30, 0.46
GOAL_RATIO = (round(TARGET_S / BEFORE_S, 2), round(AIM_S / BEFORE_S, 2))
"""Target and aim as ratios to what it was when they were set, for machines that are faster than that one."""


def import_s(tree: Tree, program: str = ALL) -> float:
    """Seconds of the processor, the interpreter's own start included; everything is compiled if it ran before."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = tree.run("-c", program)
    if done.returncode:
        raise RuntimeError(f"{program!r} failed in {tree.path}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def row(rounds: int) -> Row:
    """Beside `import asyncio`, which is most of what is left."""
    import_s(HERE)
    pairs = [(import_s(HERE), import_s(HERE, "import asyncio")) for _ in range(rounds)]
    values, limits = zip(*pairs, strict=True)
    return Row(
        "processor time, import acomp, iaa_emulator, zswap",
        statistics.median(values),
        "s",
        statistics.median(limits),
        statistics.median(value / limit for value, limit in pairs),
        TARGET_S,
        AIM_S,
        "value",
        "lower",
        (min(values), max(values)),
    )
