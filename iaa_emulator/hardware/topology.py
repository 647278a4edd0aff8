"""Packages, cores, threads and NUMA nodes: which logical cpu is where. Data and arithmetic, nothing else.

The numbering "blocks" and the order of a node's cpus are those of the series' test machine and of its kernel.
"""

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveInt, model_validator

MAX_CPUS = 8192
"""The most that Linux can be configured for on x86."""


class Topology(BaseModel):
    """A machine's cpus. `numa_nodes` is a multiple of `packages`; each node holds an equal block of a package's cores.

    `numbering` says how logical cpus are numbered. "blocks": first thread of all cores, package after package, then the
    second threads in the same order (the test machine: package 0 has 0-55 and 112-167). "interleaved": neighbouring ids
    alternate between packages.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    packages: PositiveInt = 1
    cores_per_package: PositiveInt = 8
    threads_per_core: PositiveInt = 1
    numa_nodes: PositiveInt = 1
    numbering: Literal["blocks", "interleaved"] = "blocks"

    @model_validator(mode="after")
    def _can_be(self) -> "Topology":
        if self.nr_cpus > MAX_CPUS:
            raise ValueError(f"{self.nr_cpus:,} cpus are more than the {MAX_CPUS:,} that Linux can have; use fewer")
        return self

    @model_validator(mode="after")
    def _nodes_divide_packages(self) -> "Topology":
        if self.numa_nodes % self.packages or self.cores_per_package % (self.numa_nodes // self.packages):
            raise ValueError(
                f"{self.numa_nodes} NUMA nodes do not divide {self.packages} packages of {self.cores_per_package} cores"
                " evenly; choose a multiple of the packages that divides the cores"
            )
        return self

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
