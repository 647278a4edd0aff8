"""Device I/O without blocking the loop, and without losing track of a write that nobody waits for any more.

In real time a blocking device is called on a worker thread (`loop.run_in_executor`, which a virtual loop does inline).
Each call holds its slots until it has landed, also when its caller was cancelled meanwhile.
"""

import asyncio
from collections.abc import Callable
from errno import EIO, ESHUTDOWN
from typing import Any, Final

from acomp import PAGE_SIZE, fault, trace

from ..wait_group import WaitGroup
from .device import SwapDevice
from .slots import SwapSlots

DEVICE_WRITE: Final = fault.declare(
    "swap.device_write",
    "the swap device cannot write (EIO): a folio stays with its caller, a page in zswap",
)
DEVICE_READ: Final = fault.declare("swap.device_read", "the swap device cannot read (EIO): the page stays where it is")


class DeviceIo:
    """Calls to one device, until `close`. `in_flight` counts those that have not landed."""

    __slots__ = ("_closed", "_device", "_slots", "in_flight")

    def __init__(self, device: SwapDevice, slots: SwapSlots) -> None:
        self._device = device
        self._slots = slots
        self._closed = False
        self.in_flight = WaitGroup()

    async def write(self, slot: int, data: bytes) -> None:
        """Write whole pages; OSError when the device cannot."""
        if fault.should_fail(DEVICE_WRITE):
            raise OSError(EIO, f"the device cannot write slot {slot}")
        await self._call(slot, len(data) // PAGE_SIZE, self._device.write, slot, data)
        if trace.sink is not None:
            trace.emit("swap.write", slot=slot, nr_pages=len(data) // PAGE_SIZE)

    async def read(self, slot: int, nr_pages: int = 1) -> bytes:
        """The pages at these slots; OSError when the device cannot."""
        if fault.should_fail(DEVICE_READ):
            raise OSError(EIO, f"the device cannot read slot {slot}")
        pages: bytes = await self._call(slot, nr_pages, self._device.read, slot, nr_pages)
        if trace.sink is not None:
            trace.emit("swap.read", slot=slot)
        return pages

    async def sync(self) -> None:
        """Make everything durable that was written before."""
        await self._call(0, 0, self._device.sync)

    def close(self) -> None:
        """Refuse new calls from now on (ESHUTDOWN), and close the device as soon as the last one has landed."""
        self._closed = True
        self.in_flight.when_ended(self._device.close)

    async def _call(self, slot: int, nr: int, call: Callable[..., Any], *args: object) -> Any:
        if self._closed:
            raise OSError(ESHUTDOWN, "the swap device is closed")
        self._slots.hold(slot, nr)
        self.in_flight.begin()
        if not self._device.blocks:
            try:
                await asyncio.sleep(0)
                return call(*args)
            finally:
                self._landed(slot, nr)
        try:
            landing = asyncio.get_running_loop().run_in_executor(None, call, *args)
        except BaseException:
            self._landed(slot, nr)
            raise
        landing.add_done_callback(lambda _: self._landed(slot, nr))
        return await asyncio.shield(landing)

    def _landed(self, slot: int, nr: int) -> None:
        self._slots.drop(slot, nr)
        self.in_flight.end()
