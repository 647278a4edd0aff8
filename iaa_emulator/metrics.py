"""The statistics of a platform as Prometheus metrics. Needs the extra `metrics`; nothing else here does.

prometheus_client.REGISTRY.register(iaa_emulator.metrics.collector(platform))
"""

import importlib
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Protocol

from .platform import Platform


class Collector(Protocol):
    """What a Prometheus registry takes."""

    def collect(self) -> Iterable[Any]:
        """The metric families, made when they are asked for."""


def collector(platform: Platform) -> Collector:
    """A collector for `platform`. ImportError, with the remedy, when prometheus_client is not installed.

    Counters `iaa_crypto_<name>` for each of `global_stats`, `iaa_crypto_wq_<name>` with the labels `device` and `wq`
    for each of `wq_stats`, and gauges for descriptors in flight and for whether the driver is enabled.
    """
    try:
        families = importlib.import_module("prometheus_client.core")
    except ImportError as error:
        raise ImportError("iaa_emulator.metrics needs prometheus_client: pip install 'swaplab[metrics]'") from error
    return _PlatformCollector(platform, families)


class _PlatformCollector:
    def __init__(self, platform: Platform, families: Any) -> None:
        self._platform = platform
        self._families = families

    def collect(self) -> Iterable[Any]:
        stats = self._platform.stats
        for name, value in asdict(stats.totals).items():
            yield self._families.CounterMetricFamily(f"iaa_crypto_{name}", f"global_stats: {name}", value=value)
        yield from self._of_queues()
        yield self._families.GaugeMetricFamily(
            "iaa_crypto_enabled", "whether the driver uses the devices", value=int(self._platform.enabled)
        )

    def _of_queues(self) -> Iterable[Any]:
        queues = [(device.name, wq) for device in self._platform.devices for wq in device.bound_queues]
        for name in ("comp_calls", "comp_bytes", "decomp_calls", "decomp_bytes"):
            family = self._families.CounterMetricFamily(
                f"iaa_crypto_wq_{name}", f"wq_stats: {name}", labels=["device", "wq"]
            )
            for device, wq in queues:
                family.add_metric([device, wq.name], getattr(wq.stats, name))
            yield family
        in_flight = self._families.GaugeMetricFamily(
            "iaa_crypto_wq_descriptors_in_flight", "descriptors that a job owns", labels=["device", "wq"]
        )
        for device, wq in queues:
            in_flight.add_metric([device, wq.name], wq.in_flight)
        yield in_flight
