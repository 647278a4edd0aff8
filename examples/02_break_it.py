"""What happens when the rules are broken: misuse is an exception that says what to do, a page's failure is a code."""

import asyncio
import os
from collections.abc import Callable

import acomp


def refused(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except (acomp.AcompError, TypeError, ValueError) as error:
        print(f"{what}:\n  {type(error).__name__}: {error}")


async def main() -> None:
    tfm, other = acomp.crypto_alloc_acomp("zstd"), acomp.crypto_alloc_acomp("lz4")
    head, member, foreign = (acomp.acomp_request_alloc(t) for t in (tfm, tfm, other))
    page = os.urandom(4096)

    refused("an unknown algorithm", lambda: acomp.crypto_alloc_acomp("deflate-iax"))
    refused("a read-only destination", lambda: acomp.acomp_request_set_params(member, page, bytes(4096), 4096, 4096))
    refused("more than the buffer", lambda: acomp.acomp_request_set_params(member, page, bytearray(64), 4096, 4096))
    refused("a head that is none", lambda: acomp.acomp_request_chain(member, head))
    acomp.acomp_reqchain_init(head, 0, None, None)
    refused("two transforms in a chain", lambda: acomp.acomp_request_chain(foreign, head))
    acomp.acomp_request_chain(member, head)
    refused("freeing a chained request", lambda: acomp.acomp_request_free(member))
    acomp.acomp_reqchain_clear(head, None)
    acomp.acomp_request_free(member)

    (result,) = await acomp.compress_pages(tfm, [page])
    print(f"random bytes do not fit into a page:\n  code {result.err}, {os.strerror(-result.err)}")


with acomp.registry():
    asyncio.run(main())
