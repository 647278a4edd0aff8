"""What the compressors that a command was asked for need: a registry, and perhaps the emulated accelerator."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import acomp


@asynccontextmanager
async def hardware(compressors: Sequence[str]) -> AsyncIterator[None]:
    """A fresh registry, with the emulated accelerator in it if one of the compressors needs it.

    It is not opened otherwise, because then the name `deflate` would mean the accelerator's.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(acomp.registry())
        if any(not acomp.crypto_has_acomp(name) for name in compressors):
            import iaa_emulator  # here, for most are compressed without it

            await stack.enter_async_context(iaa_emulator.Platform.open())
        yield
