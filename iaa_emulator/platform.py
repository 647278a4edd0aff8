"""A platform: the machine, its devices, engines that run, and the driver bound to them and registered.

The front door of the package. `Platform.open` builds all of it inside the running loop and takes it apart again.
"""

import asyncio
import errno
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from acomp import WrongLoopError, cpu, current_registry
from acomp.once import entered_once

from .driver.algorithm import IAA_CRYPTO_MAX_BATCH_SIZE, iaa_algorithm
from .driver.attributes import Attributes
from .driver.driver import Driver
from .driver.features import DriverFeatures
from .driver.statistics import Statistics
from .errors import ConfigurationError
from .hardware.config import WORK_QUEUE_SLOTS
from .hardware.device import Device, WorkQueue
from .hardware.engine import Engine
from .hardware.machine import MachineConfig, accepted, load
from .hardware.presets import HOST, preset
from .hardware.topology import Topology


def _entered_before() -> ConfigurationError:
    return ConfigurationError(
        errno.EBUSY, "this platform was entered before", "Call Platform.open anew for each `async with`."
    )


class Platform:
    """An open platform. Made by `Platform.open`.

    `topology`, `devices` (all of the machine's, bound or not) and `attributes`; queues are named "wq<device>.<index>".
    """

    def __init__(self, machine: MachineConfig, driver: Driver) -> None:
        self.config = machine
        self.topology: Topology = machine.topology
        self.devices = [Device(device) for device in machine.devices]
        self._driver = driver
        self._loop = asyncio.get_running_loop()
        self._closed = False

    def __repr__(self) -> str:
        driver = self._driver
        state = "closed" if self._closed else "enabled" if driver.enabled else "disabled"
        queues = sum(len(device.bound_queues) for device in driver.devices)
        return (
            f"<Platform {driver.features} {state}: {self.topology.nr_cpus} cpus, {len(driver.devices)} devices,"
            f" {queues} work queues, {len(driver.in_flight)} jobs in flight>"
        )

    @classmethod
    @entered_once(_entered_before)
    @asynccontextmanager
    async def open(
        cls,
        machine: MachineConfig | str | Path | None = None,
        *,
        features: DriverFeatures | None = None,
        engine: Engine | None = None,
        attributes: Mapping[str, str] | None = None,
        completion_timeout: float = 1.0,
        alloc_pause_ns: int = 1000,
        batch_size: int = IAA_CRYPTO_MAX_BATCH_SIZE,
    ) -> AsyncIterator["Platform"]:
        """Open a machine (a MachineConfig, a preset's name, a file; default: one that suits this host) and its driver.

        Registers `deflate-iaa` in the current registry and binds every queue with the driver name "crypto", one at a
        time in device order. Queues of other drivers are left alone.

        `features`: the patches (default: v8). `engine`: what runs the jobs (default: worker threads). `attributes`:
        text by name, written before binding. `completion_timeout`, in seconds of loop time: a job that has not landed
        so long after its submission ends in -ETIMEDOUT and disables the driver. `alloc_pause_ns`: a request waits for a
        descriptor 1000 times that long at most to compress, 500 times to decompress. (Worker threads are slower than a
        device by an order of magnitude: if your tasks ask for more descriptors than there are, set 100,000 or more.)
        `batch_size`: how many requests per chain the driver asks for, 128 at most; it takes chains of any length.
        Numbers other than the kernel's 8 are for experiments.

        Leaving unregisters, unbinds, waits for jobs in flight (bounded by the timeout) and stops the engine. Transforms
        that are still alive then get -ENODEV for a compression, and decompress in software. A platform that was left
        cannot bind queues again.

        Raises:
            ConfigurationError: for what the kernel would refuse, with file and line if it is from a file, and for a
                queue of the driver's that could not be enabled, even beside good ones (queues of other drivers stay
                idle); EEXIST for a second platform in one registry; EBUSY when a context is entered again.
            TypeError, ValueError: for arguments of a wrong type or out of range.
        """
        built = accepted(_machine(machine))
        _check_times(completion_timeout, alloc_pause_ns)
        _check_batch_size(batch_size)
        driver = Driver(
            built.topology,
            _features(features),
            _engine(engine),
            completion_timeout_s=completion_timeout,
            alloc_pause_ns=alloc_pause_ns,
        )
        algorithm = iaa_algorithm(driver, asyncio.get_running_loop(), batch_size)
        for name, text in _texts(attributes).items():
            driver.attributes.write(name, text)
        platform = cls(built, driver)
        registry, here = current_registry(), cpu.host.get()
        if registry.add(algorithm):
            raise ConfigurationError(
                errno.EEXIST,
                "this registry has a deflate-iaa already",
                "Close the other platform first, or open this one inside `with acomp.registry():`.",
            )
        former, here.nr_cpus = here.nr_cpus, built.topology.nr_cpus
        try:
            driver.engine.start(platform.devices)
            try:
                platform.bind()
                yield platform
            finally:
                await platform._close()
        finally:
            here.nr_cpus = former
            registry.remove(algorithm)

    @property
    def attributes(self) -> Attributes:
        """The driver's attributes; writable while it is disabled."""
        return self._driver.attributes

    @property
    def features(self) -> DriverFeatures:
        """The patches that the driver has."""
        return self._driver.features

    @property
    def driver(self) -> Driver:
        """The driver, for looking at: tables, statistics, jobs in flight."""
        return self._driver

    @property
    def stats(self) -> Statistics:
        """Counters under the kernel's names, as objects and as the debugfs text."""
        return self._driver.stats

    @property
    def enabled(self) -> bool:
        """Whether the driver uses the devices."""
        return self._driver.enabled

    def work_queue(self, name: str) -> WorkQueue:
        """The queue "wq<device>.<index>"; ConfigurationError ENODEV names those there are."""
        queues = {wq.name: wq for device in self.devices for wq in device.work_queues}
        if name not in queues:
            raise ConfigurationError(
                errno.ENODEV, f"there is no work queue {name!r}", f"There are {', '.join(queues) or 'none'}."
            )
        return queues[name]

    def bind(self, *names: str) -> None:
        """Bind these queues one at a time; without names every one that is not bound, in device order.

        ConfigurationError: EBUSY for a queue that is bound, ENODEV for one that is not there and for a closed platform.
        WrongLoopError on any event loop but the platform's.
        """
        self._check_open()
        if names:
            queues = [self.work_queue(name) for name in names]
        else:
            queues = [wq for device in self.devices for wq in device.work_queues if not wq.bound]
        for wq in queues:
            self._driver.binding.bind(wq)

    async def unbind(self, *names: str) -> None:
        """Remove these queues one at a time, without names all of them, and wait until their jobs have landed.

        Every job lands, or is given up, within the completion timeout. ConfigurationError ENODEV for a queue that is
        not there or not bound, and for a closed platform. WrongLoopError on any event loop but the platform's.
        """
        self._check_open()
        if names:
            queues = [self.work_queue(name) for name in names]
        else:
            queues = [wq for device in reversed(self._driver.devices) for wq in reversed(device.bound_queues)]
        for wq in queues:
            self._driver.binding.unbind(wq)
        for wq in queues:
            await self._driver.in_flight.drain(wq)

    def _check_open(self) -> None:
        if asyncio._get_running_loop() is not self._loop:
            raise WrongLoopError("a platform is changed on the event loop it was opened on; open one per loop")
        if self._closed:
            raise ConfigurationError(
                errno.ENODEV, "this platform was closed, its engines stopped", "Open another one with Platform.open."
            )

    async def _close(self) -> None:
        """Unbind, drain and stop."""
        self._closed = True
        driver = self._driver
        for device in list(driver.devices):
            for wq in list(device.bound_queues):
                driver.binding.unbind(wq)
        try:
            await driver.drain()
        finally:
            driver.engine.stop()


def _machine(source: MachineConfig | str | Path | None) -> MachineConfig:
    if isinstance(source, MachineConfig):
        return source
    if isinstance(source, Path):
        return load(source)
    if source is None or isinstance(source, str):
        return preset(source or HOST)
    raise TypeError(f"a machine is a MachineConfig, a preset's name or a path, not {type(source).__name__}")


def _features(features: object) -> DriverFeatures:
    if features is None:
        return DriverFeatures.v8()
    if isinstance(features, DriverFeatures):
        return features
    raise TypeError(
        "features are a set such as DriverFeatures.v8(), or DriverFeatures.of(4) for single patches,"
        f" not {type(features).__name__}"
    )


def _engine(engine: object) -> Engine:
    if engine is None:
        from .hardware.worker_threads import WorkerThreads  # loads the device's codec

        return WorkerThreads()
    if isinstance(engine, Engine) and not isinstance(engine, type):
        return engine
    given = f"the class {engine.__name__}" if isinstance(engine, type) else type(engine).__name__
    raise TypeError(f"an engine is an object that starts, submits and stops, such as WorkerThreads(), not {given}")


def _texts(attributes: object) -> Mapping[str, str]:
    if attributes is None or isinstance(attributes, Mapping):
        return attributes or {}
    raise TypeError(f'attributes are texts by name, such as {{"sync_mode": "async"}}, not {type(attributes).__name__}')


def _check_times(completion_timeout: object, alloc_pause_ns: object) -> None:
    if isinstance(completion_timeout, bool) or not isinstance(completion_timeout, int | float):
        raise TypeError(f"completion_timeout is a number of seconds, not {type(completion_timeout).__name__}")
    if not 0 < completion_timeout < math.inf:
        raise ValueError(
            f"completion_timeout must be positive and finite (seconds), not {completion_timeout}: it bounds every wait"
        )
    if type(alloc_pause_ns) is not int:
        raise TypeError(f"alloc_pause_ns is an int, in nanoseconds, not {type(alloc_pause_ns).__name__}")
    if alloc_pause_ns < 0:
        raise ValueError(f"alloc_pause_ns must be at least 0, not {alloc_pause_ns}")


def _check_batch_size(batch_size: object) -> None:
    if type(batch_size) is not int:
        raise TypeError(f"batch_size is an int, in requests per chain, not {type(batch_size).__name__}")
    if not 1 <= batch_size <= WORK_QUEUE_SLOTS:
        raise ValueError(f"batch_size must be 1 to {WORK_QUEUE_SLOTS}, the descriptors of a device, not {batch_size}")
