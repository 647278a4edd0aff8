"""The asyncio service: chains, scripts, stores and caches over HTTP (docs/service.md)."""
