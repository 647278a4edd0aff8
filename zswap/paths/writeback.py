"""Writeback: one entry leaves the store for the swap device (docs/kernel.md#writeback)."""

import asyncio
from errno import EEXIST, EIO, ENOMEM
from typing import Final

from acomp import fault, trace

from ..errors import CpuOfflineError, DecompressError
from .decompress import decompress
from .parts import Backing, Parts

WRITEBACK_FOLIO: Final = fault.declare(
    "zswap.writeback_folio", "no memory for the folio to write back (-ENOMEM): reject_reclaim_fail, the entry stays"
)


async def writeback_entry(parts: Parts, entry: int) -> int:
    """Write one published entry to the device and remove it: 0, or a negative errno and the entry stays.

    -EEXIST: somebody works on that slot (in the kernel, its page is in the swap cache). -ENOMEM: no folio, or the entry
    was invalidated meanwhile. -EIO: its page cannot be read, the device cannot take it, or the cpu is offline.

    Differs from the kernel, which removes the entry before it writes: here the entry stays until the device has the
    page, so that neither an error nor a cancellation loses it. Nobody can tell, for the slot is locked.
    """
    slot = parts.inventory.entries.slot[entry]
    lease = parts.slots.try_request(slot)
    if lease is None:
        return -EEXIST
    try:
        if parts.backing is None or fault.should_fail(WRITEBACK_FOLIO):
            return -ENOMEM
        page = await decompress(parts, entry)
        if not lease.invalidated and not await _write(parts.backing, slot, page):
            return -EIO
        if lease.invalidated:
            return -ENOMEM
        cgroup = parts.inventory.lru_of(entry).cgroup  # the heir's, if its own went meanwhile
        parts.inventory.remove(slot)
        parts.counters.events["zswpwb"] += 1
        if cgroup is not None:
            cgroup.count("zswpwb")
        if trace.sink is not None:
            trace.emit("zswap.writeback", offset=slot)
        return 0
    except (DecompressError, CpuOfflineError):
        return -EIO
    finally:
        lease.release()


async def _write(backing: Backing, slot: int, page: bytes) -> bool:
    """Whether the device has taken the page.

    What it raises beside OSError is a mistake in it. That goes to the exception handler of the loop, as from a
    callback, and not to whoever came here by chance: a store of another page, or the global worker.
    """
    try:
        await backing.write_back(slot, page)
    except OSError:
        return False
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"the swap device failed at writing slot {slot}", "exception": error}
        )
        return False
    return True
