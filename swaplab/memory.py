"""How much memory this machine has. What would take too much of it is refused before it is begun."""

import os

__all__ = ["memory_bytes", "refuse_beyond_half"]


def memory_bytes() -> int:
    """Bytes of memory of the whole machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def refuse_beyond_half(pages: int, bytes_per_page: int) -> None:
    """ValueError, with the remedy, if a simulation of so many pages takes more than half of this machine's memory."""
    needed = pages * bytes_per_page
    if needed > memory_bytes() // 2:
        raise ValueError(
            f"{pages:,} pages take about {needed >> 30:,} GiB here, more than half of this machine's memory;"
            " choose a smaller scale, or less to run"
        )
