"""The loads that `benchmarks.instructions` counts: one run of one load, in a process of its own.

Run by path with the tree to be measured first on PYTHONPATH, so that one script measures this tree and any other
commit: nothing here may need a name that an older tree does not have. Says as JSON how many pages there were, what
processor time they took, and on request how many instructions the interpreter executed for them. A run ends without
closing its store: freeing is not storing.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import fields
from errno import EINVAL
from functools import partial
from types import FrameType, SimpleNamespace
from typing import Any, NoReturn

NO_SUCH_INTERFACE = 3
"""The exit status where the tree does not have the interface that was asked for."""

OUTPUTS = [bytes([number]) * (300 + 37 * number) for number in range(64)]
"""What the codec without work returns."""


class Meter:
    """Measures between `start` and `stop`."""

    def __init__(self, bytecode: bool) -> None:
        self._traces = bytecode
        self._count = 0
        self._began_s = 0.0

    def start(self) -> None:
        """From here on. Frames that run already are not traced: their share is the same in runs of every length."""
        if self._traces:
            sys.settrace(self._enter)
        self._began_s = time.process_time()

    def stop(self, pages: int) -> NoReturn:
        """Until here: tell what it took, and end the process."""
        taken = time.process_time() - self._began_s
        sys.settrace(None)
        print(json.dumps({"pages": pages, "cpu_s": taken, "bytecode": self._count}), flush=True)
        os._exit(0)

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> Callable[..., Any]:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._step

    def _step(self, _frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        if event == "opcode":
            self._count += 1
        return self._step


def null_zstd() -> None:
    """Let every ZstdCodec of this process do nothing, after its self-test."""
    import acomp
    from acomp.codecs import ZstdCodec

    acomp.crypto_alloc_acomp("zstd")
    ZstdCodec.compress = lambda self, src: OUTPUTS[0]  # type: ignore[method-assign]
    ZstdCodec.compress_many = lambda self, pages: OUTPUTS[: len(pages)]  # type: ignore[method-assign]


def null_algorithm() -> Any:
    """An algorithm without codec and without threads: a batch is done when it is submitted."""
    import acomp
    from acomp.software import capacity_of

    async def batch(units: Any) -> int:
        units.outcomes = OUTPUTS[: len(units)]
        return 0

    async def requests(reqs: Sequence[acomp.AcompReq]) -> list[int]:  # as the threaded algorithms had it
        capacities = [capacity_of(req) for req in reqs]
        codes = [0] * len(reqs)
        for number, output in enumerate(OUTPUTS[: len(reqs)]):
            req = reqs[number]
            if type(output) is bytes and len(output) <= capacities[number]:
                req.path = "software"
                req.deliver(output)
            else:
                codes[number] = -EINVAL
        return codes

    given: dict[str, Any] = {"cra_flags": acomp.CRYPTO_ALG_ASYNC | acomp.CRYPTO_ALG_REQ_CHAIN}
    if hasattr(acomp, "Units"):

        def compress(req: acomp.AcompReq) -> acomp.Code:
            if type(req.dst) is tuple:
                return acomp.acomp_do_unit_req(req, batch)
            return acomp.acomp_do_batch_req_chain(req, acomp.on_requests(batch))

        given["cra_flags"] |= acomp.CRYPTO_ALG_REQ_SEG
        given["batch_compress"] = acomp.acomp_array_method(batch, compressing=True)
    else:  # as in trees that have chains only

        def compress(req: acomp.AcompReq) -> acomp.Code:
            return acomp.acomp_do_batch_req_chain(req, requests, lambda _req: None)

    return acomp.AcompAlg(
        cra_name="null",
        cra_driver_name="null-loop",
        cra_priority=1,
        compress=compress,
        decompress=lambda _req: -EINVAL,
        get_batch_size=lambda: len(OUTPUTS),
        **given,
    )


def null_isal() -> None:
    """Let the device's codec do nothing, before anybody imports it: real streams, of other pages."""
    from isal import isal_zlib

    def stream(plain: bytes) -> bytes:
        deflater = isal_zlib.compressobj(0, isal_zlib.DEFLATED, -12, 8, isal_zlib.Z_FIXED)
        return deflater.compress(plain) + deflater.flush()

    made = stream(random.Random(1).randbytes(64) * 64)
    deflater = SimpleNamespace(compress=lambda _source: b"", flush=lambda: made)
    names = {name: getattr(isal_zlib, name) for name in dir(isal_zlib) if not name.startswith("_")}
    null = SimpleNamespace(**names | {"compressobj": lambda *_options: deflater, "crc32": lambda _data: 1})
    vars(sys.modules["isal"])["isal_zlib"] = null


def params_of(interface: str, **given: Any) -> Any:
    """The store's parameters. Exits with NO_SUCH_INTERFACE where the tree has only chains, and others are wanted."""
    import zswap

    if "interface" in {field.name for field in fields(zswap.Params)}:
        given["interface"] = interface
    elif interface != "chain":
        sys.exit(NO_SUCH_INTERFACE)
    return zswap.Params(**given)


Context = Callable[[], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def on_the_loop() -> AsyncIterator[None]:
    """No codec, and no threads."""
    import acomp

    acomp.crypto_register_acomp(null_algorithm())
    yield


@asynccontextmanager
async def threads() -> AsyncIterator[None]:
    """One worker; the loop compresses nothing but what is small."""
    import acomp.threads

    async with acomp.threads.open(workers=1, algorithms=["zstd"]):
        yield


@asynccontextmanager
async def engines_on_the_loop() -> AsyncIterator[None]:
    """The emulated accelerator without threads."""
    import iaa_emulator

    async with iaa_emulator.Platform.open(engine=iaa_emulator.WorkerThreads(0)):
        yield


async def store(meter: Meter, params: Any, folios: int, data: list[bytes], context: Context) -> NoReturn:
    """Store so many folios one after the other, at fresh slots."""
    import acomp
    import zswap

    nr_pages = len(data[0]) // acomp.PAGE_SIZE
    with acomp.registry():
        async with context(), zswap.Zswap.open(params) as kept:
            meter.start()
            for number in range(folios):
                if not await kept.store(zswap.Folio(number * nr_pages, data[number % len(data)])):
                    raise RuntimeError(f"a folio was refused: {dict(kept.stats())}")
            meter.stop(folios * nr_pages)


def store_batches(
    meter: Meter, interface: str, folios: int, nr_pages: int, context: Context = threads, null: bool = True
) -> NoReturn:
    """Folios, in batches as long as they are, up to the longest that the store makes; without null, zstd works."""
    import zswap

    params = params_of(
        interface,
        compressor="zstd-threads" if context is threads else "null-loop",
        max_batch_size=min(nr_pages, zswap.LONGEST_CHAIN),
        long_chains=True,
    )
    if null:
        null_zstd()
    asyncio.run(store(meter, params, folios, [bytes(nr_pages * 4096)] if null else texts(nr_pages), context))


def store_iaa(meter: Meter, interface: str, folios: int) -> NoReturn:
    """64 KiB folios over the emulated accelerator, in the driver's batches of 8, its codec without work."""
    null_isal()
    params = params_of(interface, compressor="deflate-iaa")
    asyncio.run(store(meter, params, folios, [bytes(1 << 16)], engines_on_the_loop))


def texts(nr_pages: int) -> list[bytes]:
    """Folios that compress to a third or so, always the same ones."""
    draw = random.Random(2)
    words = [draw.randbytes(draw.randint(3, 12)) for _ in range(300)]
    text = b"".join(draw.choices(words, k=nr_pages * 4096 * 8 // 20))
    return [text[start : start + nr_pages * 4096] for start in range(0, 2 * nr_pages * 4096 - 4096, nr_pages * 4096)]


def simulate(meter: Meter, interface: str, scale: int) -> NoReturn:
    """Simulated usemem, v8 with deflate-iaa and 64 KiB folios, at a scale of so many 2048ths."""
    from fractions import Fraction

    from swaplab import sim
    from swaplab.model.columns import V8
    from swaplab.model.machine import Setup
    from swaplab.model.testbed import load_testbed
    from swaplab.workloads import usemem

    if interface != "chain":
        sys.exit(NO_SUCH_INTERFACE)  # the column says what it stores by
    setup = Setup(load_testbed("spr-2s-8iaa"), V8, "deflate-iaa", "64K")
    meter.start()
    outcome = sim.run(usemem.run(setup, Fraction(scale, 2048)))
    meter.stop(outcome.events["zswpout"])


LOADS: dict[str, Callable[[Meter, str, int], NoReturn]] = {
    "null-64K": partial(store_batches, nr_pages=16, context=on_the_loop),
    "null-2M": partial(store_batches, nr_pages=512, context=on_the_loop),
    "threads-4K": partial(store_batches, nr_pages=1),
    "threads-64K": partial(store_batches, nr_pages=16),
    "threads-2M": partial(store_batches, nr_pages=512),
    "zstd-4K": partial(store_batches, nr_pages=1, null=False),
    "zstd-64K": partial(store_batches, nr_pages=16, null=False),
    "zstd-2M": partial(store_batches, nr_pages=512, null=False),
    "iaa-64K": store_iaa,
    "usemem": simulate,
}


if __name__ == "__main__":
    load, interface, length, bytecode = sys.argv[1:]
    LOADS[load](Meter(bytecode == "bytecode"), interface, int(length))
