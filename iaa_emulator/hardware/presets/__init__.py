"""Machines that come along, as data files, and the one that suits this host.

`host` is what `Platform.open()` takes without being told; the others are JSON files beside this one.
"""

import errno
from copy import deepcopy
from functools import cache
from importlib import resources

from ...errors import ConfigurationError
from ..machine import MachineConfig, machine, parse
from ..topology import Topology

HOST = "host"


def preset(name: str) -> MachineConfig:
    """The preset `name`; ConfigurationError names those there are."""
    if name == HOST:
        return host_machine()
    if name not in preset_names():
        raise ConfigurationError(
            errno.ENOENT,
            f"there is no preset {name!r}",
            f"Choose one of {', '.join(preset_names())}; a file is given as a Path.",
        )
    return deepcopy(_read(name))


@cache
def _read(name: str) -> MachineConfig:
    file = resources.files(__package__) / f"{name}.json"
    return parse(file.read_text(encoding="utf-8"), name)[0]


def preset_names() -> list[str]:
    """Names of all presets, `host` first."""
    files = resources.files(__package__).iterdir()
    return [HOST, *sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json"))]


def host_machine() -> MachineConfig:
    """A small machine on the topology of this host: four devices with one dedicated queue each."""
    return machine(cores_per_package=Topology.of_host().cores_per_package, devices=4)
