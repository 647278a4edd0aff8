"""Machines that come along, as data files, and the one that suits this host.

`host` is what `Platform.open()` takes without being told; the others are JSON files beside this one.
"""

import errno
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING

from ...errors import ConfigurationError
from ..machine import MachineConfig, machine, parse
from ..topology import Topology

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

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
    return parse((_folder() / f"{name}.json").read_text(encoding="utf-8"), name)[0]


def preset_names() -> list[str]:
    """Names of all presets, `host` first."""
    names = (file.name for file in _folder().iterdir())
    return [HOST, *sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))]


def _folder() -> "Traversable":
    from importlib import resources  # which `host` does not need

    return resources.files(__package__)


def host_machine() -> MachineConfig:
    """A small machine on the topology of this host: four devices with one dedicated queue each."""
    return machine(cores_per_package=Topology.of_host().cores_per_package, devices=4)
