"""`Swap.compressed`: a page as the store keeps it, for who keeps it elsewhere, too; nothing for one that it has not."""

import random
from typing import Any

import pytest

import acomp
import zswap
from acomp.codecs import DeflateCodec, Lz4Codec, ZstdCodec

TEXT = (b"a line of text that says little; " * 200)[:4096]
NOISE = random.Random(1).randbytes(4096)


CODECS: dict[str, Any] = {"zstd": ZstdCodec, "deflate": DeflateCodec, "lz4": Lz4Codec}


@pytest.mark.parametrize("compressor", [*CODECS])
async def test_a_page_in_the_store_is_as_its_algorithm_has_left_it(compressor: str) -> None:
    with acomp.registry():
        async with zswap.Swap.open(zswap.Params(compressor=compressor)) as swap:
            await swap.store(zswap.Folio(7, TEXT * 2))
            for slot in (7, 8):
                found = swap.compressed(slot)
                assert found is not None
                name, blob = found
                assert name == compressor and len(blob) < 4096
                assert CODECS[name]().decompress(blob, 4096) == (TEXT * 2)[:4096]
            assert await swap.load(7, keep=True) == TEXT, "it stays"
            assert swap.zswap.stats()["stored_pages"] == 2


async def test_whatever_is_not_there_compressed_has_no_such_form() -> None:
    features = zswap.StoreFeatures(raw_incompressible=True)
    with acomp.registry():
        async with zswap.Swap.open(zswap.Params(features=features)) as swap:
            await swap.store(zswap.Folio(0, bytes(4096)))
            assert await swap.store(zswap.Folio(1, NOISE)) is zswap.Placed.ZSWAP
            assert [swap.compressed(slot) for slot in (0, 1, 2)] == [None] * 3
            with pytest.raises(ValueError, match="slots -1"):
                swap.compressed(-1)
        with pytest.raises(zswap.StoreClosedError):
            swap.compressed(0)


async def test_a_page_on_the_device_has_none() -> None:
    with acomp.registry():
        async with zswap.Swap.open() as swap:
            assert await swap.store(zswap.Folio(1, NOISE)) is zswap.Placed.DEVICE
            assert swap.compressed(1) is None
