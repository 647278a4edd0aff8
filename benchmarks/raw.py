"""The raw limits: two threads that do nothing but call a codec; and the peers: what people write without swaplab."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from isal import isal_zlib

from acomp.codecs import CODECS, ZstdCodec

JOB_PAGES = 512
TASKS = 8

Pages = list[bytes]
Make = Callable[[], Callable[[Pages], None]]
"""Makes what one thread does with its pages; state in there is the thread's own."""


def zstd_jobs() -> Callable[[Pages], None]:
    """Compress jobs of 512 pages, each by one call of `multi_compress_to_buffer`."""
    codec = ZstdCodec()

    def compress(pages: Pages) -> None:
        for start in range(0, len(pages), JOB_PAGES):
            codec.compress_many([*pages[start : start + JOB_PAGES]])

    return compress


def one_by_one(name: str) -> Make:
    """Compress page by page with the codec of a generic algorithm, or with `isal`, which plays the device."""

    def make() -> Callable[[Pages], None]:
        codec = CODECS[name]()

        def compress(pages: Pages) -> None:
            for page in pages:
                codec.compress(page)

        return compress

    return make if name != "isal" else (lambda: isal_pages)


def isal_pages(pages: Pages) -> None:
    """Compress page by page as the emulated device does, without what makes a single block of it."""
    for page in pages:
        deflater = isal_zlib.compressobj(0, isal_zlib.DEFLATED, -12, 8, isal_zlib.Z_FIXED)
        deflater.compress(page)
        deflater.flush()


def threads_rate(make: Make, pages: Pages, threads: int) -> float:
    """Pages per second of so many threads, each with its share and a codec of its own."""
    share = len(pages) // threads
    workers = [
        threading.Thread(target=make(), args=(pages[number * share : (number + 1) * share],))
        for number in range(threads)
    ]
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return share * threads / (time.perf_counter() - began)


async def executor_rate(pages: Sequence[bytes]) -> float:
    """Pages per second of one executor call per page: eight tasks, two threads, what people write today."""
    local = threading.local()

    def compress(page: bytes) -> bytes:
        if not hasattr(local, "codec"):
            local.codec = ZstdCodec()
        blob: bytes = local.codec.compress(page)
        return blob

    stored: dict[int, bytes] = {}
    work = iter(enumerate(pages))
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as pool:

        async def one() -> None:
            for offset, page in work:
                stored[offset] = await loop.run_in_executor(pool, compress, page)

        began = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(TASKS)))
        return len(pages) / (time.perf_counter() - began)


def dict_rate(data: bytes) -> float:
    """Pages per second put into a dict as they are, each a copy."""
    stored: dict[int, bytes] = {}
    view = memoryview(data)
    began = time.perf_counter()
    for offset in range(len(data) // 4096):
        stored[offset] = bytes(view[offset * 4096 : offset * 4096 + 4096])
    return len(stored) / (time.perf_counter() - began)
