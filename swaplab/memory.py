"""How much memory there is for us. What would take too much of it is refused before it is begun.

That is what the machine has, or what the cgroup of this process may have (of a container, or a service), if that is
less. Worker processes that run beside each other share it.
"""

import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TypeVar

__all__ = ["memory_bytes", "refuse_beyond_half", "sharing"]

CGROUPS = Path("/sys/fs/cgroup")
OF_THIS_PROCESS = Path("/proc/self/cgroup")

Q = TypeVar("Q")
T = TypeVar("T")

_share: ContextVar[int] = ContextVar("processes that share the memory", default=1)


def memory_bytes() -> int:
    """Bytes of memory that all our processes may have together."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *cgroup_limits()])


def cgroup_limits() -> Iterator[int]:
    """Limits on memory, in bytes, of the cgroups that this process is in and of those above them, v1 or v2.

    A container may see itself as the root and still be named by its place on the host: what is not there is passed by.
    """
    try:
        lines = OF_THIS_PROCESS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        hierarchy, controllers, path = [*line.split(":", 2), "", ""][:3]
        if hierarchy == "0" and not controllers:
            root, name = CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        place = root / path.lstrip("/")
        for directory in (place, *place.parents):
            if directory.is_relative_to(root):
                yield from _limit(directory / name)


def _limit(file: Path) -> Iterator[int]:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return
    if text.isdecimal() and int(text) > 0:  # or "max"; v1 says a number beyond all memory instead
        yield int(text)


def sharing(run: Callable[[Q], T], processes: int) -> Callable[[Q], T]:
    """`run`, to be called in each of so many processes that run beside each other: each has its share of the memory."""
    return partial(_run_with_a_share, run, processes)


def _run_with_a_share(run: Callable[[Q], T], processes: int, request: Q) -> T:
    share = _share.set(processes)
    try:
        return run(request)
    finally:
        _share.reset(share)


def refuse_beyond_half(pages: int, bytes_per_page: int) -> None:
    """ValueError, with the remedy, if a simulation of so many pages takes more than half of the memory that it has."""
    needed, processes = pages * bytes_per_page, _share.get()
    if needed * processes > memory_bytes() // 2:
        shared = f", which {processes} processes share" if processes > 1 else ""
        raise ValueError(
            f"{pages:,} pages take about {needed / 2**30:,.1f} GiB here, more than half of the memory there is{shared};"
            f" choose a smaller scale, {'--workers 1, ' if processes > 1 else ''}or less to run"
        )
