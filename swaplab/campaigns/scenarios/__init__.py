"""The scenarios, a module for each theme."""

from typing import Final

from swaplab.stress import Scenario

from ..fault_plan import FaultPlan
from . import (
    cached_values,
    cancellation_storm,
    chain_storm,
    compressor_switching,
    contended_device,
    device_loss,
    hotplug,
    mixed_cgroups,
    pool_pressure,
)

SCENARIOS: Final[dict[str, Scenario]] = {
    "chain-storm": chain_storm.chain_storm,
    "contended-device": contended_device.contended_device,
    "hotplug": hotplug.hotplug,
    "pool-pressure": pool_pressure.pool_pressure,
    "compressor-switching": compressor_switching.compressor_switching,
    "device-loss": device_loss.device_loss,
    "cancellation-storm": cancellation_storm.cancellation_storm,
    "mixed-cgroups": mixed_cgroups.mixed_cgroups,
    "cached-values": cached_values.cached_values,
}
"""Every campaign, by the name that the command knows it by."""

PLANS: Final[tuple[FaultPlan, ...]] = (
    chain_storm.PLAN,
    contended_device.PLAN,
    hotplug.PLAN,
    pool_pressure.PLAN,
    pool_pressure.SWAPON,
    compressor_switching.PLAN,
    device_loss.PLAN,
    mixed_cgroups.PLAN,
    cached_values.PLAN,
)
"""What they make fail."""
