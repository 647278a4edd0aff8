"""Shrinking: a cgroup at its limit, and memory pressure. The worker that empties full pools is `shrink_worker`.

All of them walk LRUs from the head. An entry that was stored since the last visit gets its second chance: the first
visit only clears its mark. Writeback needs a device below the store; without one there is nothing to shrink to.
"""

from errno import EAGAIN, EEXIST, ENOENT

from acomp import PAGE_SIZE

from ..cgroup import Cgroup
from ..inventory.entries import NO_ENTRY
from ..inventory.lru import LruList
from .parts import Parts
from .writeback import writeback_entry


async def shrink_memcg(parts: Parts, cgroup: Cgroup | None) -> int:
    """Visit the oldest entry of a cgroup on each node: 0 when something was written back.

    -ENOENT: it is offline, may not write back, or has no entries. -EAGAIN: entries were visited, none was written.
    """
    if not may_write_back(parts, cgroup):
        return -ENOENT
    scanned = written = 0
    for lru in parts.inventory.lrus.of(cgroup):
        if lru.head != NO_ENTRY:
            scanned += 1
            written += await visit_oldest(parts, lru) == 0
    if not scanned:
        return -ENOENT
    return 0 if written else -EAGAIN


def shrinker_count(parts: Parts, cgroup: Cgroup | None, node: int) -> int:
    """How many entries the dynamic shrinker offers to memory pressure; consumes the protection by recent swap-ins.

    The length of the LRU less recent disk swap-ins, scaled by compressed pages / stored pages of the cgroup: the better
    pages compress, the less there is to gain. 0 unless `shrinker_enabled` and writeback is allowed.
    """
    lru = parts.inventory.lrus.find(cgroup, node)
    if lru is None or not parts.settings.shrinker_enabled or not may_write_back(parts, cgroup):
        return 0
    if cgroup is None:
        compressed, stored = parts.pools.total_pages, parts.inventory.stored_pages
    else:
        compressed, stored = cgroup.zswap_current // PAGE_SIZE, cgroup.zswapped
    spared = min(lru.length, lru.protected)
    lru.protected -= spared
    return (lru.length - spared) * compressed // stored if stored else 0


async def shrinker_scan(parts: Parts, cgroup: Cgroup | None, node: int, nr_to_scan: int) -> int:
    """Visit up to that many entries and return how many were written back; a page in the swap cache ends the scan."""
    lru = parts.inventory.lrus.find(cgroup, node)
    if lru is None or not parts.settings.shrinker_enabled or not may_write_back(parts, cgroup):
        return 0
    written = 0
    for _ in range(min(nr_to_scan, lru.length)):
        if lru.head == NO_ENTRY:
            break
        err = await visit_oldest(parts, lru)
        written += err == 0
        if err == -EEXIST:
            break
    return written


def may_write_back(parts: Parts, cgroup: Cgroup | None) -> bool:
    """Whether entries of this cgroup (None: of nobody) may leave for a device: there is one, and it allows it."""
    return parts.backing is not None and (cgroup is None or (cgroup.online and cgroup.may_write_back))


async def visit_oldest(parts: Parts, lru: LruList) -> int:
    """Visit the head of a list that has one, and move it to the tail unless it leaves.

    0 when it was written back, -EAGAIN for a second chance, else writeback's errno.
    """
    entry = lru.head
    entries = parts.inventory.entries
    lru.rotate(entry)
    if entries.referenced[entry]:
        entries.referenced[entry] = 0
        return -EAGAIN
    err = await writeback_entry(parts, entry)
    if err:
        parts.counters.reject_reclaim_fail += 1
    else:
        parts.counters.written_back_pages += 1
    return err
