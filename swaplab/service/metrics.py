"""`/metrics`: the counters of all stores and caches under their names in the kernel, told apart by a label."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import zswap.metrics

from .caches import CacheRoom
from .stores import Store


class _Labelled(Collector):
    def __init__(self, stores: Iterable[Store], caches: Iterable[CacheRoom]) -> None:
        self._stores = stores
        self._caches = caches

    def collect(self) -> Iterator[Metric]:
        """Each family once, with the samples of all."""
        merged: dict[str, Metric] = {}
        stores = [("store", one.name, zswap.metrics.collector(one.swap.zswap)) for one in self._stores]
        caches = [("cache", one.name, zswap.metrics.collector(one.cache)) for one in self._caches]
        for label, name, collector in [*stores, *caches]:
            for family in collector.collect():
                metric = merged.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    metric.add_sample(sample.name, {**sample.labels, label: name}, sample.value)
        return iter(merged.values())


def metrics(stores: Iterable[Store], caches: Iterable[CacheRoom]) -> bytes:
    """The text of a scrape."""
    registry = CollectorRegistry()
    registry.register(_Labelled(stores, caches))
    return generate_latest(registry)
