"""The machines of the campaigns. They are small: so runs are short, and what is scarce is met at once."""

from functools import cache
from typing import Literal

from iaa_emulator import MachineConfig, machine


@cache
def small_machine(
    *, slots: int = 128, devices: int = 1, wqs: int = 1, cpus: int = 2, shared: bool = False
) -> MachineConfig:
    """One package with so many cpus, and devices whose queues have `slots` descriptors together.

    Queues that are `shared` have half as many, by their threshold, and may refuse a submission.
    """
    mode: Literal["shared", "dedicated"] = "shared" if shared else "dedicated"
    return machine(cores_per_package=cpus, devices=devices, wqs_per_device=wqs, slots_per_device=slots, mode=mode)


@cache
def big_machine(slots: int) -> MachineConfig:
    """The 112 cpus of the paper's machine, before a single device with so many descriptors and two engines."""
    return machine(
        packages=2, cores_per_package=28, threads_per_core=2, devices=1, slots_per_device=slots, engines_per_device=2
    )
