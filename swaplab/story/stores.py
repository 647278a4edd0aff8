"""Compressed stores of a script: the calls `Zswap` and `zswap.*`, over whatever algorithms the script's machine has."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from types import MappingProxyType
from typing import Final
from zlib import crc32

from zswap import Folio, Params, StoreFeatures, Zswap

from .explain import REJECTS, Reject
from .objects import Objects, storing

FEATURES: Final[Mapping[str, StoreFeatures]] = MappingProxyType(
    {
        "v8": StoreFeatures.named("v8"),
        "base": StoreFeatures.named("base"),
        "raw": StoreFeatures(raw_incompressible=True),
    }
)
"""What a store can be opened with: chains of 8 pages, page by page as before the series, and v12's raw pages."""


class Stores:
    """The stores that a script has opened. They are closed together."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._open = AsyncExitStack()

    async def open(self, compressor: str, features: str = "v8") -> Zswap:
        """Open one. ParameterError ENOENT if there is no such algorithm."""
        params = Params(compressor=compressor, features=FEATURES[features])
        return await self._open.enter_async_context(Zswap.open(params))

    async def close(self) -> None:
        """Close them all: pages and requests are gone."""
        await self._open.aclose()

    async def store(self, store: Zswap, offset: int, pages: Sequence[bytes]) -> Reject | None:
        """Store a folio. None if it is in; else why it is not, by the counter that went up."""
        before = store.stats()
        with self._used(store):
            if await store.store(Folio(offset, b"".join(pages))):
                return None
        after = store.stats()
        return next((name for name in REJECTS if after.get(name, 0) > before.get(name, 0)), "invalidated")

    async def load(self, store: Zswap, offset: int) -> int | None:
        """The CRC-32 of the page at `offset`, which is in the store no more; None if there is none."""
        with self._used(store):
            page = await store.load(offset)
        return None if page is None else crc32(page)

    def invalidate(self, store: Zswap, offset: int) -> int:
        """Forget the page at `offset`; whether there was one."""
        return store.invalidate(offset)

    @contextmanager
    def _used(self, store: Zswap) -> Iterator[None]:
        """What is told meanwhile of requests without a name is of the store's own."""
        token = storing.set(self._objects.name_of(store))
        try:
            yield
        finally:
            storing.reset(token)


def counters_of(store: Zswap) -> dict[str, int]:
    """The counters of a store that are not 0, but for the number of its pages."""
    return {
        name: count for name, count in {**store.stats(), **store.events}.items() if count and name != "stored_pages"
    }
