"""Packages, cores, threads and NUMA nodes: which logical cpu is where. Data and arithmetic, nothing else.

The numbering "blocks" and the order of a node's cpus are those of the series' test machine and of its kernel.
"""

import os
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

MAX_CPUS = 8192
"""The most that Linux can be configured for on x86."""


Numbering = Literal["blocks", "interleaved"]


@dataclass(frozen=True)
class Topology:
    """A machine's cpus. `numa_nodes` is a multiple of `packages`; each node holds an equal block of a package's cores.

    `numbering` says how logical cpus are numbered. "blocks": first thread of all cores, package after package, then the
    second threads in the same order (the test machine: package 0 has 0-55 and 112-167). "interleaved": neighbouring ids
    alternate between packages.

    Raises ValueError for a machine that cannot be.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # where a machine file has one

    packages: int = 1
    cores_per_package: int = 8
    threads_per_core: int = 1
    numa_nodes: int = 1
    numbering: Numbering = "blocks"

    def __post_init__(self) -> None:
        for name in ("packages", "cores_per_package", "threads_per_core", "numa_nodes"):
            count = getattr(self, name)
            if type(count) is not int or count < 1:
                raise ValueError(f"{name} must be a positive int, not {count!r}")
        if self.numbering not in get_args(Numbering):
            raise ValueError(f"numbering must be one of {', '.join(get_args(Numbering))}, not {self.numbering!r}")
        if self.nr_cpus > MAX_CPUS:
            raise ValueError(f"{self.nr_cpus:,} cpus are more than the {MAX_CPUS:,} that Linux can have; use fewer")
        if self.numa_nodes % self.packages or self.cores_per_package % (self.numa_nodes // self.packages):
            raise ValueError(
                f"{self.numa_nodes} NUMA nodes do not divide {self.packages} packages of {self.cores_per_package} cores"
                " evenly; choose a multiple of the packages that divides the cores"
            )

    @classmethod
    def of_host(cls) -> "Topology":
        """One package with as many cores as this host has cpus, eight at least (see `acomp.cpu.nr_cpu_ids`)."""
        return cls(cores_per_package=max(8, os.cpu_count() or 1))

    @property
    def nr_cores(self) -> int:
        """Physical cores of the machine."""
        return self.packages * self.cores_per_package

    @property
    def nr_cpus(self) -> int:
        """Logical cpus of the machine; ids run from 0."""
        return self.nr_cores * self.threads_per_core

    def package_of(self, cpu: int) -> int:
        """The package that logical cpu `cpu` is in."""
        core = cpu % self.nr_cores
        return core // self.cores_per_package if self.numbering == "blocks" else core % self.packages

    def node_of(self, cpu: int) -> int:
        """The NUMA node that logical cpu `cpu` is in."""
        core = cpu % self.nr_cores
        within = core % self.cores_per_package if self.numbering == "blocks" else core // self.packages
        nodes_per_package = self.numa_nodes // self.packages
        return self.package_of(cpu) * nodes_per_package + within // (self.cores_per_package // nodes_per_package)

    def cpus_of_node(self, node: int) -> list[int]:
        """The logical cpus of a NUMA node in ascending order."""
        return [cpu for cpu in range(self.nr_cpus) if self.node_of(cpu) == node]
