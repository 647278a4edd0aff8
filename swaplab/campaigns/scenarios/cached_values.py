"""A cache on the accelerator: values are set, read, computed once and deleted, and an order must explain all of it."""

from random import Random
from typing import Final

from swaplab import stress
from zswap import Cache

from ..fault_plan import FaultPlan
from ..history import EMPTY, NEVER, History, Operation
from ..machines import small_machine
from ..opening import open_platform, planned
from ..pages import number_of, page_of

PLAN: Final = FaultPlan.of({"zswap.cache.unit": 0.2, "iaa.submit": 0.1, "iaa.analytics_error": 0.1})
KEYS: Final = 2


@stress.scenario(jitter_ms=0.02, max_events=5_000)
async def cached_values(world: stress.World) -> None:
    """Four clients on two keys, with a budget that nothing comes near."""
    draw = world.random
    history, numbers = History(), iter(range(1, 1000))
    computed: set[int] = set()
    told: dict[int, int] = {}
    world.at_rest(lambda: not history.unexplained(), "an order explains all sets, gets and deletes")
    world.sometimes(lambda: bool(computed), "computed")
    async with (
        open_platform(world, machine=small_machine(slots=8)),
        Cache.open(max_bytes=None, compressor="deflate-iaa") as cache,
    ):

        async def set_value(key: int) -> None:
            number, called = next(numbers), history.tick()
            is_through = False
            try:
                await cache.set(str(key), page_of(number))
                is_through = True
            finally:  # cancelled, it leaves the old value or the new one
                history.note(key, Operation("write", number, called, history.tick(), optional=not is_through))

        async def get_value(key: int) -> None:
            called = history.tick()
            page = await cache.get(str(key))
            number = EMPTY if page is None else number_of(page)
            history.note(key, Operation("read", number, called, history.tick()))

        async def compute_value(key: int) -> None:
            """What comes back was there, or was computed for all who asked before somebody was told."""
            called = history.tick()

            async def make() -> bytes:
                number = next(numbers)
                history.note(key, Operation("write", number, history.tick(), NEVER, optional=True))
                await world.sleep(10e-6)
                computed.add(number)
                return page_of(number)

            number, returned = number_of(await cache.get_or_compute(str(key), make)), history.tick()
            if number not in computed or told.setdefault(number, returned) < called:
                history.note(key, Operation("read", number, called, returned))

        async def delete_value(key: int) -> None:
            called = history.tick()
            await cache.delete(str(key))
            history.note(key, Operation("write", EMPTY, called, history.tick()))

        async def client() -> None:
            random = Random(draw.random())
            for _ in range(3):
                work = random.choice((set_value, set_value, get_value, get_value, compute_value, delete_value))
                await work(random.randrange(KEYS))

        with planned(world, PLAN if draw.random() < 0.5 else None):
            async with world.clients(client, n=4):
                pass
        for key in range(KEYS):
            await get_value(key)
