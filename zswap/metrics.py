"""A store's counters for Prometheus; needs the extra `swaplab[metrics]`, and nothing else in zswap does.

Register it with `prometheus_client.REGISTRY.register(zswap.metrics.collector(store))`.
"""

import importlib
from collections.abc import Iterator
from typing import Any

from acomp import PAGE_SIZE

from .zswap import Zswap

_STATES = ("pool_total_size", "stored_pages", "stored_incompressible_pages")


class Collector:
    """Answers a scrape from the store as it is then. Made by `collector`."""

    def __init__(self, store: Zswap, families: Any) -> None:
        self._store = store
        self._families = families

    def collect(self) -> Iterator[Any]:
        """One family per debugfs counter, one for the events by name, and the limit if there is one."""
        counter, gauge = self._families.CounterMetricFamily, self._families.GaugeMetricFamily
        for name, value in self._store.stats().items():
            kind = gauge if name in _STATES else counter
            unit = "_bytes" if name == "pool_total_size" else ""
            yield kind(f"zswap_{name}{unit}", f"zswap debugfs {name}", value=value)
        events = counter("zswap_events", "page and folio events by their name in vmstat", labels=["event"])
        for name, value in sorted(self._store.events.items()):
            events.add_metric([name], value)
        yield events
        limit = self._store._parts.limit.max_pages
        if limit is not None:
            yield gauge("zswap_pool_limit_bytes", "bytes that the pools may take", value=limit * PAGE_SIZE)


def collector(store: Zswap) -> Collector:
    """A collector for `store`. ImportError, with the remedy, when prometheus_client is not installed."""
    try:
        families = importlib.import_module("prometheus_client.core")
    except ImportError as error:
        raise ImportError("zswap.metrics needs prometheus_client: pip install 'swaplab[metrics]'") from error
    return Collector(store, families)
