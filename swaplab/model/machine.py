"""The modelled machine: a testbed's costs and engines, an open platform, and the real store on top, in virtual time.

Everything below is the code that embedders run; what is modelled are the nanoseconds and the lengths of the blobs.
"""

import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import acomp
import iaa_emulator
import zswap
from acomp.codecs import BytesLike, ZstdCodec
from acomp.software import software_algorithm
from iaa_emulator import Platform
from iaa_emulator.driver.algorithm import IAA_CRYPTO_MAX_BATCH_SIZE
from iaa_emulator.hardware import silicon
from iaa_emulator.hardware.descriptor import Opcode
from swaplab import sim
from swaplab.model.columns import Column
from swaplab.model.corpus import Remembered, RememberedCodec, padded
from swaplab.model.engine import EngineModel, ModelledEngine
from swaplab.model.testbed import Testbed

T = TypeVar("T")

MOST_DEVICES = 64
"""So many are spread over the packages of a machine at most; one of today has eight."""


def stream_of(compressor: str) -> Callable[[BytesLike], bytes]:
    """The compressor's own bytes for a page, without padding."""
    return _device_stream if compressor == "deflate-iaa" else ZstdCodec().compress


def _device_stream(page: BytesLike) -> bytes:
    return silicon.perform(Opcode.COMPRESS, page, 2 * acomp.PAGE_SIZE).output


def _device_outcome(page: BytesLike, length_factor: float) -> silicon.Outcome:
    outcome = silicon.perform(Opcode.COMPRESS, page, 2 * acomp.PAGE_SIZE)
    output = padded(outcome.output, length_factor)
    return silicon.Outcome(replace(outcome.record, output_size=len(output)), output)


@dataclass(frozen=True, slots=True)
class Setup:
    """What to build: a column's kernel on a testbed's machine, and what of it was asked to be otherwise.

    `devices` of the whole machine, `wqs` per device (None: as the column has it), `batch` pages per chain: at most a
    folio's, and above 8 an experiment of ours, for there the kernel stops.
    """

    testbed: Testbed
    column: Column
    compressor: str
    folio: str
    devices: int = 8
    wqs: int | None = None
    batch: int = 8
    sync_mode: str = "async"

    def costs_ns(self) -> dict[str, int]:
        """The cost model: nanoseconds by the names that the packages charge."""
        ns = self.testbed.ns
        free_hold = self.testbed.value("zswap.free_hold_ns")
        if self.compressor == "zstd":
            free_hold *= self.testbed.value("zswap.free_hold_zstd_factor")
        if 14 not in self.column.patches:
            free_hold *= self.testbed.value("zswap.free_hold_unbatched_factor")
        return {
            "iaa.submit": ns("iaa.submit_ns"),
            "iaa.reap": ns("iaa.reap_ns"),
            "deflate.decompress": ns("deflate.decompress_ns"),
            "zstd.compress": ns("zstd.compress_ns"),
            "zstd.decompress": ns("zstd.decompress_ns"),
            "zswap.lru_hold": ns("zswap.lru_hold_ns"),
            "zswap.store_page": ns("zswap.store_page_ns"),
            "zswap.free_hold": round(free_hold),
            "zswap.free_page": ns("zswap.free_page_ns"),
            "mm.free_resident": ns("mm.free_resident_ns"),
        }


@dataclass(slots=True)
class Machine:
    """An open machine: swap space, engines, and `compress`, what the compressor makes of a page, padded."""

    swap: zswap.Swap
    engine: ModelledEngine
    platform: Platform
    compress: Callable[[BytesLike], bytes]
    costs_ns: Mapping[str, int]


@asynccontextmanager
async def open_machine(setup: Setup, swap_pages: int, extra_costs_ns: Mapping[str, int]) -> AsyncIterator[Machine]:
    """Build it on the running virtual loop, with swap space for `swap_pages` pages; all of it is taken down again."""
    testbed = setup.testbed
    factor = {name: parameter.value for name, parameter in testbed.length_factors.items()}
    device = Remembered(lambda page: _device_outcome(page, factor["deflate-iaa"]))
    codec = ZstdCodec()
    software = Remembered(lambda page: padded(codec.compress(page), factor["zstd"]))
    model = EngineModel(testbed.ns("iaa.pipeline_ns"), testbed.ns("iaa.service_ns"), testbed.compress_engines)
    engine = ModelledEngine(model, device)
    costs = setup.costs_ns() | dict(extra_costs_ns)
    params = setup.column.store_params(
        compressor=setup.compressor,
        max_batch_size=setup.batch,
        long_chains=setup.batch > zswap.ZSWAP_MAX_BATCH_SIZE,
        close_timeout=3600.0,
    )
    built = iaa_emulator.machine(devices=setup.devices, wqs_per_device=setup.wqs or setup.column.wqs_per_device)
    machine = replace(built, topology=testbed.topology)
    async with AsyncExitStack() as stack:
        registry = stack.enter_context(acomp.registry())
        registry.remove(registry.look_up("zstd-generic"))
        registry.add(software_algorithm("zstd", lambda: RememberedCodec(ZstdCodec(), software)))
        platform = await stack.enter_async_context(
            Platform.open(
                machine,
                features=setup.column.driver,
                engine=engine,
                attributes=setup.column.attributes(setup.sync_mode),
                completion_timeout=60.0,
                batch_size=max(setup.batch, IAA_CRYPTO_MAX_BATCH_SIZE),
            )
        )
        stack.enter_context(acomp.cpu.costs(costs))
        swap = await stack.enter_async_context(zswap.Swap.open(params, device=zswap.MemoryDevice(swap_pages)))
        compress = software if setup.compressor == "zstd" else lambda page: device(page).output
        yield Machine(swap, engine, platform, compress, costs)


def simulate(main: Coroutine[Any, Any, T]) -> T:
    """Run a workload in virtual time, from beginning to end.

    The search for cyclic garbage is off meanwhile: next to none is made, and millions of entries would be searched.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return sim.run(main)
    finally:
        if was_enabled:
            gc.enable()
