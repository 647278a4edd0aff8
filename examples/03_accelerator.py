"""Pages through the emulated accelerator: a chain of eight, what came back, and the driver's own counters."""

import asyncio
import zlib

import acomp
import iaa_emulator


async def main() -> None:
    with acomp.registry():
        async with iaa_emulator.Platform.open() as platform:
            tfm = acomp.crypto_alloc_acomp("deflate-iaa")
            print("pages per chain:", acomp.crypto_acomp_batch_size(tfm))

            pages = [f"page {n} ".encode().ljust(4096, b".") for n in range(8)]
            blobs = await acomp.compress_pages(tfm, pages)
            print("results:", {(blob.err, blob.path) for blob in blobs}, "bytes:", [len(blob.data) for blob in blobs])
            print("any inflate reads them:", zlib.decompress(blobs[3].data, wbits=-15) == pages[3])

            noise = bytes(n * n % 251 ^ n // 7 % 256 for n in range(4096))
            (refused,) = await acomp.compress_pages(tfm, [noise])
            print("a page that does not shrink:", refused.err)
            print(platform.driver.stats.debugfs("global_stats"), end="")
            acomp.crypto_free_acomp(tfm)


asyncio.run(main())
