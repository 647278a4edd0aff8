"""`python -m benchmarks.instructions`: machine instructions of the loop's thread per stored page, by valgrind.

The codec does nothing, so what is counted is the cost that is ours: the store and the request. `--over threads` adds
the way to a worker thread and back, which hardly depends on the interface. Instructions hardly depend on the machine or
on who else uses it. Two runs that store differently many pages are compared, so that what happens once cancels out.
Batches are as long as the folio, up to 32 pages. A run ends without closing its store, for freeing is not storing.
Needs `valgrind`, and takes minutes.
"""

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
from errno import EINVAL
from pathlib import Path
from typing import Any

import acomp
import acomp.threads
import zswap
from acomp import codecs

_TOTAL = re.compile(r"^(?:totals|summary): (\d+)", re.MULTILINE)
_FOLIOS = {16: (256, 1024), 512: (8, 32), 1: (1024, 3072)}
"""How many folios of so many pages the two runs store."""
_OUTPUTS = [bytes([number]) * (300 + 37 * number) for number in range(64)]


def null_frames(_codec: codecs.ZstdCodec, pages: list[codecs.BytesLike]) -> list[bytes]:
    """`compress_many` of zstd, without the work."""
    return _OUTPUTS[: len(pages)]


def on_the_loop() -> acomp.AcompAlg:
    """An algorithm without a thread: a batch is done when it is submitted."""

    async def perform(units: acomp.Units) -> int:
        units.outcomes = _OUTPUTS[: len(units)]
        return 0

    def compress(req: acomp.AcompReq) -> acomp.Code:
        if type(req.dst) is tuple:
            return acomp.acomp_do_unit_req(req, perform)
        return acomp.acomp_do_batch_req_chain(req, acomp.on_requests(perform))

    return acomp.AcompAlg(
        cra_name="null",
        cra_driver_name="null-loop",
        cra_priority=1,
        cra_flags=acomp.CRYPTO_ALG_ASYNC | acomp.CRYPTO_ALG_REQ_CHAIN | acomp.CRYPTO_ALG_REQ_SEG,
        compress=compress,
        decompress=lambda req: -EINVAL,
        batch_compress=acomp.acomp_array_method(perform, compressing=True),
        get_batch_size=lambda: len(_OUTPUTS),
    )


async def store_folios(params: zswap.Params, nr_pages: int, folios: int) -> None:
    """Store so many folios, one after the other, at fresh slots, and end the process."""
    data = bytes(nr_pages * acomp.PAGE_SIZE)
    with acomp.registry():
        acomp.crypto_register_acomp(on_the_loop())
        async with acomp.threads.open(workers=1, algorithms=["zstd"]), zswap.Zswap.open(params) as store:
            for number in range(folios):
                if not await store.store(zswap.Folio(number * nr_pages, data)):
                    raise RuntimeError(f"a folio was refused: {dict(store.stats())}")
            os._exit(0)


def run_here(over: str, interface: Any, nr_pages: int, folios: int) -> None:
    """What is counted: a run in this process."""
    setattr(codecs.ZstdCodec, "compress_many", null_frames)  # noqa: B010 (for this process alone)
    params = zswap.Params(
        compressor={"loop": "null-loop", "threads": "zstd-threads"}[over],
        interface=interface,
        max_batch_size=min(nr_pages, zswap.LONGEST_CHAIN),
        long_chains=True,
    )
    asyncio.run(store_folios(params, nr_pages, folios))


def count(over: str, interface: str, nr_pages: int, folios: int) -> int:
    """Instructions of the loop's thread in one such run, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
        here = [sys.executable, "-m", "benchmarks.instructions", "--run", over, interface, str(nr_pages), str(folios)]
        done = subprocess.run([*command, *here], capture_output=True, text=True, check=False)
        files = sorted(Path(folder).glob("out*-01"))
        if done.returncode or not files:
            raise RuntimeError(f"valgrind failed: {done.stderr[-2000:]}")
        return sum(map(int, _TOTAL.findall(files[0].read_text())[:1]))


def per_page(over: str, interface: str, nr_pages: int) -> float:
    """Instructions of the loop's thread for one more page."""
    few, many = _FOLIOS[nr_pages]
    more = count(over, interface, nr_pages, many) - count(over, interface, nr_pages, few)
    return more / ((many - few) * nr_pages)


def main() -> None:
    """Print a line for each interface and folio size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    run = ("OVER", "INTERFACE", "PAGES", "FOLIOS")
    parser.add_argument("--run", nargs=4, metavar=run, help="store, and count nothing")
    parser.add_argument("--over", default="loop", choices=["loop", "threads"])
    parser.add_argument("--interfaces", default="chain,array,unit")
    parser.add_argument("--pages", default="16,512", help="folio sizes, of 1, 16 and 512 pages")
    options = parser.parse_args()
    if options.run:
        over, interface, pages, folios = options.run
        run_here(over, interface, int(pages), int(folios))
        return
    for nr_pages in map(int, options.pages.split(",")):
        for interface in options.interfaces.split(","):
            value = per_page(options.over, interface, nr_pages)
            print(f"{interface:8} {nr_pages:4} pages a folio: {value:9.0f} instructions a page", flush=True)


if __name__ == "__main__":
    main()
