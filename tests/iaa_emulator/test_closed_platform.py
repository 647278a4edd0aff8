"""A platform whose context was left, or is being left: it takes no queue any more, and transforms get -ENODEV."""

import asyncio
from errno import EBUSY, ENODEV

import pytest

import acomp
from acomp import compress_pages, crypto_alloc_acomp
from iaa_emulator import ConfigurationError, Platform, machine
from iaa_emulator.testing import SteppedEngine
from tests.iaa_emulator.rig import TEXT, Single, assert_whole, stepped


async def test_a_closed_platform_binds_nothing() -> None:
    async with stepped() as platform:
        tfm = crypto_alloc_acomp("deflate-iaa")
    for names in ((), ("wq1.0",)):
        with pytest.raises(ConfigurationError, match=r"closed.*Platform\.open") as refused:
            platform.bind(*names)
        assert refused.value.errno == ENODEV
        with pytest.raises(ConfigurationError, match=r"closed.*Platform\.open") as refused:
            await platform.unbind(*names)
        assert refused.value.errno == ENODEV
    assert "closed" in repr(platform)
    assert not platform.enabled
    assert [result.err for result in await compress_pages(tfm, [TEXT] * 2)] == [-ENODEV] * 2
    assert_whole(platform)


async def test_a_platform_that_is_closing_binds_nothing() -> None:
    """It waits for a job in flight; meanwhile somebody wants his queues back."""
    refused = []

    async def bind_when_unbound(platform: Platform) -> None:
        while platform.enabled:
            await asyncio.sleep(0)
        try:
            platform.bind()
        except ConfigurationError as error:
            refused.append(error.errno)

    with acomp.registry():
        async with Platform.open(machine(devices=1), engine=SteppedEngine(), completion_timeout=0.05) as platform:
            running = asyncio.ensure_future(Single().compress(TEXT))
            binding = asyncio.ensure_future(bind_when_unbound(platform))
            await asyncio.sleep(0)
            assert len(platform.driver.in_flight) == 1
        await asyncio.wait([running, binding])
    assert refused == [ENODEV]
    assert_whole(platform)


async def test_each_context_is_entered_once() -> None:
    with acomp.registry():
        opening = Platform.open(machine(devices=1), engine=SteppedEngine(auto=True))
        async with opening:
            with pytest.raises(ConfigurationError, match=r"Call Platform\.open") as refused:
                async with opening:
                    pass
            assert refused.value.errno == EBUSY
            assert await Single().compress(TEXT) == 0, "the first one is not disturbed"
        with pytest.raises(ConfigurationError, match=r"Call Platform\.open"):
            await opening.__aenter__()
        assert not acomp.crypto_has_acomp("deflate-iaa")
