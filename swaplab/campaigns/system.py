"""The whole system under stress: a platform with a disturbed engine at modelled times, and a store on it."""

from dataclasses import dataclass, field

from iaa_emulator import Platform
from iaa_emulator.testing import not_at_rest as platform_not_at_rest
from swaplab.stress import World
from zswap import Swap, Zswap
from zswap.testing import not_at_rest as store_not_at_rest
from zswap.testing import quiesce

from .disturbed_engine import CALM, DisturbedEngine
from .observed import Observed


@dataclass(slots=True)
class System:
    """An open system. `unrest` is what did not hold when all was done."""

    world: World
    platform: Platform
    engine: DisturbedEngine
    swap: Swap | None
    zswap: Zswap
    observed: Observed
    unrest: list[str] = field(default_factory=list)

    async def rest(self) -> None:
        """All clients are through: wait for what they have left under way, read all back, and look."""
        self.engine.disturbance = CALM
        driver = self.platform.driver
        await driver.in_flight.drain()
        await driver.notice.drain()
        store = self.swap or self.zswap
        await quiesce(store)
        await self.observed.read_back()
        await driver.in_flight.drain()
        self.unrest = self.not_at_rest()
        for line in self.unrest:
            self.world.log(line)

    def not_at_rest(self) -> list[str]:
        """What does not hold although nothing is under way."""
        return [*platform_not_at_rest(self.platform), *store_not_at_rest(self.swap or self.zswap)]
