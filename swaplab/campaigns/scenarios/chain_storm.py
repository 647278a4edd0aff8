"""Batches of pages by every interface, on both runners and on several algorithms, with members that fail."""

import asyncio
from random import Random
from typing import Final

import acomp
from acomp import crypto_alloc_acomp
from iaa_emulator import Platform
from iaa_emulator.testing import not_at_rest
from swaplab import stress

from ..batches import INTERFACES, Batch, Result
from ..fault_plan import FaultPlan, PointFault
from ..machines import small_machine
from ..opening import open_platform, planned
from ..pages import page_of
from ..remembered import outcome_of
from ..slow_algorithm import NAME as SLOW
from ..slow_algorithm import SlowAlgorithm

PLAN: Final = FaultPlan.of(
    {
        "acomp.reqchain_state": 0.1,
        "iaa.alloc_descriptor": 0.05,
        "iaa.submit": PointFault(interval=7, times=3),
        "iaa.enqueue_refused": 0.3,
        "iaa.watchdog": 0.03,
        "iaa.analytics_error": 0.03,
    }
)
PARALLEL: Final = "deflate-iaa"


class Storm:
    """What the clients of one run share: the algorithms, and what has gone wrong or was seen."""

    def __init__(self, world: stress.World, *, serial_device: bool, with_faults: bool) -> None:
        self.serial_device = serial_device
        self.with_faults = with_faults
        self.wrong: list[str] = []
        self.seen: set[str] = set()
        self._world = world

    async def client(self, name: str, interface: str, random: Random) -> None:
        """Run a batch again and again, and give up on it now and then."""
        batch = Batch(crypto_alloc_acomp(name), random.randint(2, 5))
        for _ in range(2):
            first = random.randrange(1, 100)
            kinds = [random.random() < 0.2 for _ in batch.reqs]
            pages = [page_of(first + i, "random" if bad else "text") for i, bad in enumerate(kinds)]
            try:
                async with asyncio.timeout(random.choice((None, None, 15e-6))):
                    results = await INTERFACES[interface](batch, pages)
            except TimeoutError:
                self.seen.add("gave up")
            else:
                self._judge(batch, interface, pages, results)
            await batch.idle()
            if batch.completions > 1:
                self.wrong.append(f"I3 {name} by {interface}: {batch.completions} completions")
            self.seen.add(interface)

    def _judge(self, batch: Batch, interface: str, pages: list[bytes], results: list[Result]) -> None:
        """I4 and I5: the right code for the whole, and for each page its bytes or its error."""
        name = batch.tfm.alg.cra_driver_name
        errs = [err for err, _ in results]
        if interface == "chain":
            is_serial = name == SLOW or self.serial_device
            expected = errs[-1 if is_serial else 0]
            if batch.code != expected:
                self.wrong.append(f"I4 {name}: {batch.code} for {errs}")
            self.seen |= {"serial runner" if is_serial else "parallel runner"}
        for page, (err, data) in zip(pages, results, strict=True):
            output = outcome_of(page).output
            if err:
                self.seen.add("failing member")
                if not self.with_faults and len(output) <= len(page):
                    self.wrong.append(f"I4 {name} by {interface}: {errs}, and nothing was wrong with this page")
            elif data != output:
                self.wrong.append(f"I5 {name} by {interface}: other bytes than the device's")


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def chain_storm(world: stress.World) -> None:
    """Four clients with transforms of their own, three of them of the accelerator, which has few descriptors."""
    draw = world.random
    sync_mode, with_faults = draw.choice(("async", "async", "sync", "async_irq")), draw.random() < 0.5
    storm = Storm(world, serial_device=sync_mode != "async", with_faults=with_faults)
    slow = SlowAlgorithm(Random(draw.random()))
    machine = small_machine(slots=8, wqs=2, shared=draw.random() < 0.5)
    for seen in ("gave up", "serial runner", "parallel runner", "failing member", *INTERFACES):
        world.sometimes(lambda seen=seen: seen in storm.seen, seen)  # type: ignore[misc]
    world.at_rest(lambda: not storm.wrong, "I3, I4, I5 codes, bytes and completions are those that they have to be")
    async with open_platform(world, machine=machine, attributes={"sync_mode": sync_mode}) as (platform, _):
        world.sometimes(lambda: any(wq.waiting for wq in platform.devices[0].work_queues), "descriptor exhaustion")
        acomp.crypto_register_acomp(slow.algorithm())
        jobs = [
            (PARALLEL, draw.choice(("chain", "array", "unit", "pages"))),
            (PARALLEL, draw.choice(("chain", "chain", "unit"))),
            (PARALLEL, draw.choice(("array", "unit"))),
            (SLOW, draw.choice(("chain", "chain", "pages"))),
        ]

        async def client() -> None:
            name, interface = jobs.pop(0)
            await storm.client(name, interface, Random(draw.random()))

        with planned(world, PLAN if with_faults else None):
            async with world.clients(client, n=len(jobs)):
                pass
            await _all_landed(world, slow, platform)
        for line in (*storm.wrong, *(unrest := list(not_at_rest(platform)))):
            world.log(line)
    world.at_rest(lambda: not unrest, "I1, I2, I14 nothing is held, and the counters balance")


async def _all_landed(world: stress.World, slow: SlowAlgorithm, platform: Platform) -> None:
    await platform.driver.in_flight.drain()
    await platform.driver.notice.drain()
    while slow.pending:
        await world.sleep(20e-6)
