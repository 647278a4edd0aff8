"""`python -m benchmarks.instructions`: machine instructions of the loop's thread per stored page, by valgrind.

The codec does nothing, so what is counted is the store, the request and the way to a worker thread and back: the cost
that is ours. It hardly depends on the machine or on who else uses it. Two runs that store differently many pages are
compared, so that what happens once cancels out. Batches are as long as the folio, up to 32 pages. A run ends without
closing its store: freeing is not storing. Needs `valgrind`, and takes minutes.
"""

import argparse
import asyncio
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
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


class NullCodec(codecs.ZstdCodec):
    """A codec without work: outputs of 300 to 2,631 bytes, in turn."""

    def compress(self, src: codecs.BytesLike) -> bytes:
        """One of the outputs."""
        return _OUTPUTS[0]

    def compress_many(self, pages: list[codecs.BytesLike]) -> list[bytes]:
        """Some of them."""
        return _OUTPUTS[: len(pages)]


async def store_folios(params: zswap.Params, nr_pages: int, folios: int) -> None:
    """Store so many folios, one after the other, at fresh slots."""
    data = bytes(nr_pages * acomp.PAGE_SIZE)
    with acomp.registry():
        async with acomp.threads.open(workers=1, algorithms=["zstd"]), zswap.Zswap.open(params) as store:
            for number in range(folios):
                if not await store.store(zswap.Folio(number * nr_pages, data)):
                    raise RuntimeError(f"a folio was refused: {dict(store.stats())}")
            os._exit(0)


def run_here(interface: str, nr_pages: int, folios: int) -> None:
    """What is counted: a run in this process."""
    codecs.CODECS = {**codecs.CODECS, "zstd": NullCodec}  # type: ignore[misc] # for this process alone
    acomp.threads.algorithm.CODECS = codecs.CODECS  # type: ignore[misc]
    rest: dict[str, Any] = {
        "compressor": "zstd-threads",
        "max_batch_size": min(nr_pages, zswap.LONGEST_CHAIN),
        "long_chains": True,
    }
    if "interface" in {field.name for field in dataclasses.fields(zswap.Params)}:
        rest["interface"] = interface
    asyncio.run(store_folios(zswap.Params(**rest), nr_pages, folios))


def count(interface: str, nr_pages: int, folios: int) -> int:
    """Instructions of the loop's thread in one such run, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"]
        here = [sys.executable, "-m", "benchmarks.instructions", "--run", interface, str(nr_pages), str(folios)]
        done = subprocess.run([*command, *here], capture_output=True, text=True, check=False)
        files = sorted(Path(folder).glob("out*-01"))
        if done.returncode or not files:
            raise RuntimeError(f"valgrind failed: {done.stderr[-2000:]}")
        return sum(map(int, _TOTAL.findall(files[0].read_text())[:1]))


def per_page(interface: str, nr_pages: int) -> float:
    """Instructions of the loop's thread for one more page."""
    few, many = _FOLIOS[nr_pages]
    more = count(interface, nr_pages, many) - count(interface, nr_pages, few)
    return more / ((many - few) * nr_pages)


def main() -> None:
    """Print a line for each interface and folio size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", nargs=3, metavar=("INTERFACE", "PAGES", "FOLIOS"), help="store, and count nothing")
    parser.add_argument("--interfaces", default="chain,array,unit")
    parser.add_argument("--pages", default="16,512")
    options = parser.parse_args()
    if options.run:
        run_here(options.run[0], int(options.run[1]), int(options.run[2]))
        return
    for pages in map(int, options.pages.split(",")):
        for interface in options.interfaces.split(","):
            print(
                f"{interface:8} {pages:4} pages a folio: {per_page(interface, pages):9.0f} instructions a page",
                flush=True,
            )


if __name__ == "__main__":
    main()
