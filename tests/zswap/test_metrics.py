"""Prometheus: the extra when it is there, and the remedy when it is not."""

import importlib.util
import sys

import pytest

import acomp
import zswap
import zswap.metrics
from tests.zswap.null_algorithm import page_of


async def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.core", None)
    with acomp.registry():
        async with zswap.Zswap.open() as store:
            with pytest.raises(ImportError, match=r"swaplab\[metrics\]"):
                zswap.metrics.collector(store)


@pytest.mark.skipif(importlib.util.find_spec("prometheus_client") is None, reason="needs the extra [metrics]")
async def test_a_scrape_says_what_stats_says() -> None:
    import prometheus_client

    with acomp.registry():
        async with zswap.Zswap.open() as store:
            registry = prometheus_client.CollectorRegistry()
            registry.register(zswap.metrics.collector(store))
            assert await store.store(zswap.Folio(0, page_of(9)))
            assert registry.get_sample_value("zswap_stored_pages") == 1
            assert registry.get_sample_value("zswap_pool_total_size_bytes") == store.stats()["pool_total_size"]
            assert registry.get_sample_value("zswap_pool_limit_hit_total") == 0
            assert registry.get_sample_value("zswap_events_total", {"event": "zswpout"}) == 1
            assert registry.get_sample_value("zswap_pool_limit_bytes") is None
            for name, value, limit in (("max_pool_bytes", 8192, 8192), ("max_pool_bytes", None, None)):
                store.params[name] = value
                assert registry.get_sample_value("zswap_pool_limit_bytes") == limit
            store.params["ram_bytes"] = 100 * 4096
            assert registry.get_sample_value("zswap_pool_limit_bytes") == 20 * 4096


async def test_a_cache_without_the_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.core", None)
    with pytest.raises(ImportError, match=r"swaplab\[metrics\]"):
        zswap.metrics.collector(zswap.Cache.open(max_bytes=None))


@pytest.mark.skipif(importlib.util.find_spec("prometheus_client") is None, reason="needs the extra [metrics]")
async def test_a_scrape_of_a_cache_says_what_stats_says() -> None:
    import prometheus_client

    with acomp.registry():
        async with zswap.Cache.open(max_bytes=1 << 20) as cache:
            registry = prometheus_client.CollectorRegistry()
            registry.register(zswap.metrics.collector(cache))
            await cache.set("key", bytes(4096))
            await cache.get("key")
            await cache.get("other")
            stats = cache.stats()
            for name in ("hits", "misses", "sets", "raw"):
                assert registry.get_sample_value(f"zswap_cache_{name}_total") == stats[name]
            for sample, name in {"bytes": "bytes", "spilled_bytes": "bytes_spilled", "values": "values"}.items():
                assert registry.get_sample_value(f"zswap_cache_{sample}") == stats[name]
            assert registry.get_sample_value("zswap_cache_max_bytes") == 1 << 20
            assert stats["hits"] == stats["misses"] == stats["values"] == 1 and stats["bytes"] > 0
