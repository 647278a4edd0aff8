"""Which work queue a cpu's next job goes to: device tables, package tables, and the cursors of each cpu.

Synchronous and pure: the driver rebuilds the tables when a queue comes or goes, and asks for the next queue per job.
Formulas and their odd cases are the kernel's (docs/kernel.md#mapping and the three headings after it).

Differs from the kernel: a removed queue leaves the tables at once (there its pointer goes stale), so a device that lost
its only local queue is split afresh, and a package that lost its last global queue forgets its table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle

from ..hardware.device import Device, WorkQueue
from ..hardware.topology import Topology


def base_cpu_to_device(topology: Topology, nr_devices: int) -> list[int]:
    """Device index of every cpu before patch 8: nodes in order, within a node its cpus in order, in equal shares.

    Shares are counted in logical cpus over all nodes, but every node begins a new one, so with more nodes than packages
    the devices run out and the rest of the cpus falls to the first one.
    """
    if nr_devices <= 1:
        return [0] * topology.nr_cpus
    per_node = topology.nr_cpus // topology.numa_nodes
    cpus_per_iaa = max(1, topology.numa_nodes * per_node // nr_devices)
    table = [0] * topology.nr_cpus
    index = -1
    for node in range(topology.numa_nodes):
        for position, cpu in enumerate(topology.cpus_of_node(node)):
            if position % cpus_per_iaa == 0:
                index += 1
            table[cpu] = index if index < nr_devices else 0
    return table


def devices_per_package(topology: Topology, nr_devices: int) -> int:
    """How many devices of the list belong to each package (patch 8)."""
    return max(1, nr_devices // topology.packages)


def package_cpu_to_device(topology: Topology, cpu: int, nr_devices: int) -> int:
    """Device index of `cpu` with patch 8: its package's share of the list, divided by cores."""
    if not nr_devices:
        return 0
    cpus_per_iaa = max(1, topology.nr_cores // nr_devices)
    first = topology.package_of(cpu) * devices_per_package(topology, nr_devices)
    index = first + cpu % topology.cores_per_package // cpus_per_iaa
    return index if index < nr_devices else nr_devices - 1


@dataclass(slots=True)
class _CpuEntry:
    """What a cpu keeps: the tables it points to, and where it stands in each. `consecutive` survives a rebalance."""

    local: list[WorkQueue] = field(default_factory=list)
    local_turns: Iterator[WorkQueue] = field(default_factory=lambda: iter(()))
    package: list[WorkQueue] = field(default_factory=list)
    package_cursor: int = 0
    consecutive: int = 0


class WqTables:
    """The tables of one driver.

    `g_wqs_per_iaa` > 0 makes the queues of a device after its first one global (with patch 9);
    `g_consec_descs_per_gwq` jobs in a row go to one global queue.
    """

    def __init__(
        self, topology: Topology, *, by_package: bool, g_wqs_per_iaa: int = 0, g_consec_descs_per_gwq: int = 1
    ) -> None:
        self.topology = topology
        self.by_package = by_package
        self.g_wqs_per_iaa = g_wqs_per_iaa
        self.g_consec_descs_per_gwq = g_consec_descs_per_gwq
        self.device_of_cpu: list[int] = [0] * topology.nr_cpus
        self._local: list[list[WorkQueue]] = []
        self._global: list[list[WorkQueue]] = []
        self._cpus = [_CpuEntry() for _ in range(topology.nr_cpus)]

    def rebalance(self, devices: Sequence[Device]) -> None:
        """Rebuild everything for `devices`, in the order in which they were first probed; cursors start anew.

        Called after every single queue that came or went; a queue's side, local or global, is decided when it comes.
        """
        self._local, self._global = [], []
        for device in devices:
            local, global_ = self._split(device)
            self._local.append(local)
            self._global.append(global_)
        self._point_cpus(len(devices))
        self._fill_packages(len(devices))

    def local_table(self, cpu: int) -> Sequence[WorkQueue]:
        """The queues of the device of `cpu`: for decompressions, and for compressions without global queues."""
        return self._cpus[cpu].local

    def package_table(self, cpu: int) -> Sequence[WorkQueue]:
        """The global queues of the package of `cpu`; empty without patch 9."""
        return self._cpus[cpu].package

    def next_local(self, cpu: int) -> WorkQueue | None:
        """The queue of the next decompression on `cpu`: the one after the last, within the device's local ones."""
        return next(self._cpus[cpu].local_turns, None) if cpu < len(self._cpus) else None

    def next_for_compress(self, cpu: int) -> WorkQueue | None:
        """The queue of the next compression on `cpu`: by the global rule if its package has global queues."""
        if cpu >= len(self._cpus):
            return None
        entry = self._cpus[cpu]
        if not entry.package:
            return next(entry.local_turns, None)
        if entry.consecutive == self.g_consec_descs_per_gwq:
            entry.package_cursor = (entry.package_cursor + 1) % len(entry.package)
            entry.consecutive = 0
        entry.consecutive += 1
        return entry.package[entry.package_cursor]

    def _split(self, device: Device) -> tuple[list[WorkQueue], list[WorkQueue]]:
        """Local and global queues of one device, in the order in which they were bound."""
        queues = device.bound_queues
        if not any(wq.mapped == "local" for wq in queues):
            for wq in queues:
                wq.mapped = None
        n_added = sum(1 for wq in queues if wq.mapped)
        for wq in queues:
            if wq.mapped is None:
                is_local = n_added == 0 or n_added + max(0, self.g_wqs_per_iaa) < len(queues)
                wq.mapped = "local" if is_local else "global"
                n_added += 1
        return [wq for wq in queues if wq.mapped == "local"], [wq for wq in queues if wq.mapped == "global"]

    def _point_cpus(self, nr_devices: int) -> None:
        if self.by_package:
            cpus = range(self.topology.nr_cpus)
            self.device_of_cpu = [package_cpu_to_device(self.topology, cpu, nr_devices) for cpu in cpus]
        else:
            self.device_of_cpu = base_cpu_to_device(self.topology, nr_devices)
        for cpu, entry in enumerate(self._cpus):
            entry.local = self._local[self.device_of_cpu[cpu]] if nr_devices else []
            entry.local_turns = cycle([*entry.local[1:], *entry.local[:1]])

    def _fill_packages(self, nr_devices: int) -> None:
        """Point cpus to the table of their package, a stride of one package's cores at a time.

        The whole stride gets the package of its first cpu, right for numberings in blocks of a package's cores only.
        Devices beyond packages x devices_per_package are in no table.
        """
        topology, share = self.topology, devices_per_package(self.topology, nr_devices)
        tables = [
            [wq for queues in self._global[package * share : (package + 1) * share] for wq in queues]
            for package in range(topology.packages)
        ]
        for first in range(0, topology.nr_cpus, topology.cores_per_package):
            table = tables[topology.package_of(first)]
            for cpu in range(first, min(first + topology.cores_per_package, topology.nr_cpus)):
                start = max(0, self.g_wqs_per_iaa) * (self.device_of_cpu[cpu] % share)
                entry = self._cpus[cpu]
                entry.package = table
                entry.package_cursor = start if start < len(table) else 0
