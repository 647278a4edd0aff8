"""The cost model of usemem as one formula: an oracle for the simulation, good to about 6 %.

It knows no queues: the slowest of three bounds (the shared lock, the busiest device, one process's own work) sets the
pace. The simulation must agree with it where it claims to hold; where they part, queueing is what makes the difference.
"""

from dataclasses import dataclass

from swaplab.model.testbed import Testbed

BATCH = 8


@dataclass(frozen=True, slots=True)
class Case:
    """What the formula has to know of a column.

    `pool_pages_per_page` is c, the pool's growth per page stored; `sharing` the processes on the busiest device (0 for
    a software compressor); `batching` whether chains of eight overlap; `unbatched_store` whether patch 14 is missing.
    """

    compressor: str
    pool_pages_per_page: float
    sharing: int
    batching: bool
    unbatched_store: bool
    folio: str = "64K"


@dataclass(frozen=True, slots=True)
class Estimate:
    """KiB per second over all processes, seconds, and pages."""

    throughput_total_kbps: float
    elapsed_s: float
    sys_s: float
    zswpout: float


def estimate(testbed: Testbed, case: Case) -> Estimate:
    """The three figures that the model is fitted on, and the pages stored, at full scale."""
    work = testbed.usemem
    processes = work.processes

    def us(name: str) -> float:
        return testbed.value(name, case.folio) / 1e9

    kept = 1 - case.pool_pages_per_page
    out = (processes * work.pages_per_process - work.memory_high_pages) / kept / processes
    write = us("mm.touch_ns") + us("mm.fault_ns")
    own = us("mm.reclaim_ns") + us("zswap.store_page_ns") + us("zswap.lru_hold_ns") + kept * write
    per_page = max(
        processes * us("zswap.lru_hold_ns"),
        case.sharing * us("iaa.service_ns") / testbed.compress_engines,
        own + _latency(testbed, case),
    )
    hold = us("zswap.free_hold_ns")
    hold *= testbed.value("zswap.free_hold_zstd_factor") if case.compressor == "zstd" else 1
    hold *= testbed.value("zswap.free_hold_unbatched_factor") if case.unbatched_store else 1
    writing = work.memory_high_pages / processes * write + out * per_page
    freeing = out * processes * hold
    return Estimate(
        throughput_total_kbps=processes * work.pages_per_process * 4 / writing,
        elapsed_s=writing + work.sleep_s + freeing,
        sys_s=processes * (writing - us("mm.touch_ns") * work.pages_per_process + freeing),
        zswpout=out * processes,
    )


def _latency(testbed: Testbed, case: Case) -> float:
    """Seconds per page that the storing cpu sees from the compressor, idle."""
    if case.compressor == "zstd":
        return testbed.value("zstd.compress_ns") / 1e9
    chain = BATCH if case.batching else 1
    per_job = testbed.value("iaa.submit_ns") + testbed.value("iaa.reap_ns")
    return (chain * per_job + testbed.value("iaa.pipeline_ns") + testbed.value("iaa.service_ns")) / chain / 1e9
