"""Whether the pools may grow by a folio. A store asks once per folio, before it does anything.

A percentage of memory answers at once, as in the kernel. Under a byte budget (`max_pool_bytes`), and with a device
below, a store that finds the budget used up stands in line until older pages have left. A refusal there and then would
send to the device whatever is stored during a run of the shrink worker, hence the newest pages, while older ones stay
in memory; and a program can wait where reclaim can not.

Why a line, and not a try after each run: whoever happens to wake first would use up what the run freed, store again and
again without suspending, and be the first to wait for the next run. So the one in front waits for runs, and all others
behind it, newcomers too. What bounds the wait: a run that frees enough lets at least one of them in, in the order in
which they came; a run that does not refuses all who stood in line before it ended.
"""

from .parts import Parts


async def has_room(parts: Parts) -> bool:
    """Whether the pools may grow, after as many runs of the shrink worker as that takes and as reach the threshold."""
    if not parts.limit.is_budget or parts.backing is None:
        return not parts.limit.reached(parts.pools.total_pages)
    in_vain = parts.worker.runs_in_vain
    await parts.line.acquire()
    try:
        while parts.limit.reached(parts.pools.total_pages):
            if parts.worker.runs_in_vain != in_vain:
                return False
            await parts.worker.make_room()
        return True
    finally:
        parts.line.release()
