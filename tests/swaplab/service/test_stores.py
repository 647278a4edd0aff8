"""A store and its log: a page that zstd has compressed is not compressed again, and all of them come back."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random

import pytest

from swaplab.service.log_records import record_at, size_of
from swaplab.service.models import StoreSettings
from swaplab.service.stores import Store

from .restored import restored

pytestmark = pytest.mark.threads

PAGES = [(b"page %d, " % number * 600)[:4096] for number in range(3)]
NOISE = Random(1).randbytes(4096)


def opened(directory: Path, compressor: str) -> AbstractAsyncContextManager[Store]:
    return restored(Store("s", StoreSettings(compressor=compressor, size_pages=64)), directory)


def frames(path: Path) -> list[bytes]:
    data, position, found = path.read_bytes(), 0, []
    while (record := record_at(data, position)) is not None:
        found.append(record.frame)
        position += size_of(record)
    return found


@pytest.mark.parametrize("compressor", ["zstd", "deflate", "lz4"])
async def test_pages_come_back_and_zstd_is_not_asked_twice(tmp_path: Path, compressor: str) -> None:
    pages = [*PAGES, bytes(4096), NOISE, PAGES[0]]
    async with opened(tmp_path, compressor) as store:
        for slot, page in enumerate(pages[:-1]):
            await store.put(slot, page)
        await store.put(5, PAGES[0] + PAGES[1])
        kept = [found[1] for slot in range(3) if (found := store.swap.compressed(slot)) is not None]
        logged = frames(tmp_path / "1.log")
        assert len(kept) == 3 and len(logged) == 7
        assert (logged[:3] == kept) == (compressor == "zstd")
    async with opened(tmp_path, compressor) as store:
        assert [await store.get(slot) for slot in range(7)] == [*pages, PAGES[1]]
        assert (store.opened.damaged, store.opened.cut_bytes) == (0, 0)
