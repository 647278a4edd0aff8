"""Resident bytes per stored page beyond its own: a child process that does nothing else measures itself.

`python -m benchmarks.memory zswap|dict PAGES` prints that one number. An algorithm that only makes bytes of the usual
length stands in for the codec, so that half a million pages take seconds.
"""

import asyncio
import gc
import subprocess
import sys

import acomp
import zswap
from acomp import AcompAlg, AcompReq

from .rows import Row

BLOB_BYTES = 1081
FOLIO = bytes(64 * 1024)


def resident_bytes() -> int:
    """Resident size of this process."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def _make_bytes(req: AcompReq) -> int:
    req.deliver(bytes(BLOB_BYTES))
    return 0


async def in_zswap(pages: int) -> float:
    """Bytes per page beyond the blob, in a store filled with 64 KiB folios."""
    with acomp.registry():
        acomp.crypto_register_acomp(
            AcompAlg(
                cra_name="null",
                cra_driver_name="null",
                cra_priority=1,
                cra_flags=0,
                compress=_make_bytes,
                decompress=_make_bytes,
            )
        )
        async with zswap.Zswap.open(zswap.Params(compressor="null")) as store:
            gc.collect()
            before = resident_bytes()
            for offset in range(0, pages, 16):
                await store.store(zswap.Folio(offset, FOLIO))
            gc.collect()
            return (resident_bytes() - before) / pages - BLOB_BYTES


async def in_dict(pages: int) -> float:
    """The same in a dict of bytes by offset."""
    stored: dict[int, bytes] = {}
    before = resident_bytes()
    for offset in range(pages):
        stored[offset] = bytes(BLOB_BYTES)
    return (resident_bytes() - before) / pages - BLOB_BYTES


def row(pages: int) -> Row:
    """The row of memory: two fresh processes, one after the other."""
    value, limit = (
        float(subprocess.check_output([sys.executable, "-m", "benchmarks.memory", which, str(pages)], text=True))
        for which in ("zswap", "dict")
    )
    return Row(
        f"memory per stored page beyond its bytes, {pages:,} pages",
        value,
        "B",
        limit,
        value / limit,
        200,
        80,
        "value",
        "lower",
    )


if __name__ == "__main__":
    print(asyncio.run({"zswap": in_zswap, "dict": in_dict}[sys.argv[1]](int(sys.argv[2]))))
