"""The other routes, on FastAPI: JSON in, JSON out, and the OpenAPI document of all of them."""

from typing import Annotated

from fastapi import FastAPI, Path, Response
from fastapi.responses import PlainTextResponse

from .models import CacheInfo, CacheSettings, Health, Name, Names, StoreInfo, StoreSettings
from .problems import RefusalError
from .service import Service

RoomName = Annotated[Name, Path(description="A lower-case name of at most 32 letters, digits and hyphens.")]


def api(service: Service) -> FastAPI:
    """The application behind the hot routes."""
    app = FastAPI(title="swaplab", docs_url=None, redoc_url=None, openapi_url="/openapi.json", redirect_slashes=False)
    _stores(app, service)
    _caches(app, service)

    @app.get("/healthz", tags=["service"])
    async def healthz() -> Health:
        """Whether the process serves."""
        return Health(status="ok")

    @app.get("/readyz", tags=["service"])
    async def readyz() -> Health:
        """Whether all that was kept is there; which values were lost on the disk, by store or cache."""
        return service.health

    @app.get("/v1/algorithms", tags=["chains"])
    async def algorithms() -> Names:
        """The driver names that a chain, a store or a cache may ask for."""
        return Names(names=sorted(alg.cra_driver_name for alg in service.registry))

    return app


def _stores(app: FastAPI, service: Service) -> None:
    @app.get("/v1/stores", tags=["stores"])
    async def stores() -> Names:
        """All stores."""
        return Names(names=service.stores.names)

    @app.put("/v1/stores/{name}", status_code=201, tags=["stores"])
    async def put_store(name: RoomName, settings: StoreSettings, response: Response) -> StoreInfo:
        """Make a store (201), or find it (200); 409 if it is there with other settings."""
        made = await service.stores.put(name, settings)
        response.status_code = 201 if made else 200
        return service.stores[name].info

    @app.get("/v1/stores/{name}", tags=["stores"])
    async def store(name: RoomName) -> StoreInfo:
        """Its settings, counters and figures."""
        return service.stores[name].info

    @app.delete("/v1/stores/{name}", status_code=204, tags=["stores"])
    async def delete_store(name: RoomName) -> None:
        """Forget a store and all of its pages."""
        await service.stores.delete(name)

    @app.get("/v1/stores/{name}/tree/{path:path}", response_class=PlainTextResponse, tags=["stores"])
    async def read_tree(name: RoomName, path: str) -> str:
        """A file of the store, by its path in the kernel, such as sys/kernel/debug/zswap/stored_pages."""
        try:
            return service.stores[name].tree.read(f"/{path}")
        except OSError as error:
            raise RefusalError(404, f"there is no file /{path}", "see the paths of GET .../tree") from error

    @app.get("/v1/stores/{name}/tree", tags=["stores"])
    async def tree(name: RoomName) -> Names:
        """The paths of all files."""
        return Names(names=[*service.stores[name].tree])


def _caches(app: FastAPI, service: Service) -> None:
    @app.get("/v1/caches", tags=["caches"])
    async def caches() -> Names:
        """All caches."""
        return Names(names=service.caches.names)

    @app.put("/v1/caches/{name}", status_code=201, tags=["caches"])
    async def put_cache(name: RoomName, settings: CacheSettings, response: Response) -> CacheInfo:
        """Make a cache (201), or find it (200); 409 if it is there with other settings."""
        made = await service.caches.put(name, settings)
        response.status_code = 201 if made else 200
        return service.caches[name].info

    @app.get("/v1/caches/{name}", tags=["caches"])
    async def cache(name: RoomName) -> CacheInfo:
        """Its settings, counters and figures."""
        return service.caches[name].info

    @app.delete("/v1/caches/{name}", status_code=204, tags=["caches"])
    async def delete_cache(name: RoomName) -> None:
        """Forget a cache and all of its values."""
        await service.caches.delete(name)
