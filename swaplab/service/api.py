"""The other routes, on FastAPI: JSON in, JSON out, and the OpenAPI document of all of them."""

import hashlib
from enum import Enum
from functools import partial
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, StreamingResponse

from swaplab.story.shelf import SHELF
from swaplab.story.view import ScriptView
from swaplab.story.vocabulary import Vocabulary, vocabulary

from . import docs_page, openapi
from .bodies import JSON
from .caches import CacheRoom
from .chains import interfaces_of
from .job_models import JobInfo, JobList, JobRequest
from .metrics import metrics
from .models import (
    Algorithm,
    Algorithms,
    CacheInfo,
    CacheSettings,
    Health,
    Name,
    Names,
    ShownInfo,
    ShownList,
    StoreInfo,
    StoreSettings,
)
from .problems import RefusalError
from .rooms import One, Rooms, Settings
from .script_process import Kind
from .service import Service
from .stores import Store

RoomName = Annotated[Name, Path(description="A lower-case name of at most 32 letters, digits and hyphens.")]
ViewName = Annotated[str, Path(min_length=1, max_length=64, description="Of GET /v1/views.")]
JobNumber = Annotated[int, Path(ge=1, le=1 << 53)]

EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Events, until the client or the service ends.", "content": {"text/event-stream": {}}}
}
UNCHANGED: Final[dict[int | str, dict[str, Any]]] = {304: {"description": "It has not changed."}}
SCRAPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


def api(service: Service, base: str) -> FastAPI:
    """The application behind the hot routes. `base` is the service's URL."""
    app = FastAPI(title="swaplab", docs_url=None, redoc_url=None, openapi_url="/openapi.json", redirect_slashes=False)
    _stores(app, service.stores)
    _caches(app, service.caches)
    _jobs(app, service)
    _views(app, service)

    @app.get("/readyz", tags=["service"])
    async def readyz() -> Health:
        """Whether all that was kept is there; which values were lost on the disk, by store or cache."""
        return service.health

    @app.get("/v1/algorithms", tags=["chains"])
    async def algorithms() -> Algorithms:
        """What a chain, a store or a cache may ask for, by either name, and the interfaces that each takes."""
        found = sorted(service.registry, key=lambda alg: (alg.cra_name, -alg.cra_priority))
        return Algorithms(
            algorithms=[
                Algorithm(name=alg.cra_name, driver_name=alg.cra_driver_name, interfaces=[*interfaces_of(alg)])
                for alg in found
            ]
        )

    @app.get("/v1/events", tags=["service"], response_class=EventStream, responses=EVENTS)
    async def events(
        job: Annotated[int | None, Query(ge=1)] = None,
        store: Annotated[str | None, Query(max_length=32)] = None,
        last_event_id: Annotated[str | None, Header(max_length=64)] = None,
    ) -> Response:
        """Counters of stores and caches, once a second if they change, and what becomes of jobs; or one of them.

        `counters` has subject (store/NAME or cache/NAME) and counters; `job` has subject (job/NUMBER), id, kind, status
        and exit_status; `bye` comes when the service ends.

        Send the id of the last event as Last-Event-ID, and those after it come first. Where they are not kept any more,
        or the service was started anew, an event `gap` says so, and all that are kept follow.
        """
        if job is not None and store is not None:
            raise RefusalError(422, "job and store are both named", "name one of them, or none for all events")
        subject = None
        if job is not None:
            if not service.jobs.was_submitted(job):
                raise RefusalError(404, f"there has been no job {job}", "submit one with POST /v1/jobs")
            subject = f"job/{job}"
        elif store is not None:
            subject = f"store/{service.stores[store].name}"
        return EventStream(service.events.stream(subject, last_event_id), headers={"Cache-Control": "no-store"})

    @app.get("/metrics", tags=["service"], response_class=PlainTextResponse)
    async def scraped() -> Response:
        """The counters of all stores and caches, for Prometheus, under the kernel's names where it has them."""
        return Response(metrics(service.stores, service.caches), media_type=SCRAPE)

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    async def docs() -> str:
        return docs_page.page(app.openapi(), base)

    @app.get("/static/docs.css", include_in_schema=False)
    async def style() -> Response:
        return Response(docs_page.STYLE, media_type="text/css")

    app.openapi = partial(openapi.document, app)  # type: ignore[method-assign]
    return app


def _stores(app: FastAPI, stores: Rooms[Store, StoreSettings]) -> None:
    @app.put("/v1/stores/{name}", status_code=201, tags=["stores"], responses={200: {"model": StoreInfo}})
    async def put_store(name: RoomName, settings: StoreSettings, response: Response) -> StoreInfo:
        """Make a store (201), or find it (200); 409 if it is there with other settings."""
        return (await _put(stores, name, settings, response)).info

    @app.get("/v1/stores/{name}", tags=["stores"])
    async def store(name: RoomName) -> StoreInfo:
        """Its settings, counters and figures."""
        return stores[name].info

    @app.get("/v1/stores/{name}/tree", tags=["stores"])
    async def tree(name: RoomName) -> Names:
        """The paths of all files."""
        return Names(names=[*stores[name].tree])

    _names(app, stores, "Forget a store and all of its pages.")


def _caches(app: FastAPI, caches: Rooms[CacheRoom, CacheSettings]) -> None:
    @app.put("/v1/caches/{name}", status_code=201, tags=["caches"], responses={200: {"model": CacheInfo}})
    async def put_cache(name: RoomName, settings: CacheSettings, response: Response) -> CacheInfo:
        """Make a cache (201), or find it (200); 409 if it is there with other settings."""
        return (await _put(caches, name, settings, response)).info

    @app.get("/v1/caches/{name}", tags=["caches"])
    async def cache(name: RoomName) -> CacheInfo:
        """Its settings, counters and figures."""
        return caches[name].info

    _names(app, caches, "Forget a cache and all of its values.")


async def _put(rooms: Rooms[One, Settings], name: str, settings: Settings, response: Response) -> One:
    response.status_code = 201 if await rooms.put(name, settings) else 200
    return rooms[name]


def _names(app: FastAPI, rooms: Rooms[One, Settings], forget: str) -> None:
    """The routes that need no more of a room than its name."""
    path = f"/v1/{rooms.room}"
    tags: list[str | Enum] = [rooms.room]

    @app.get(path, tags=tags, description=f"The names of all {rooms.room}.")
    async def names() -> Names:
        return Names(names=rooms.names)

    @app.delete(f"{path}/{{name}}", status_code=204, response_class=Response, tags=tags, description=forget)
    async def delete(name: RoomName) -> None:
        await rooms.delete(name)


def _jobs(app: FastAPI, service: Service) -> None:
    @app.post("/v1/jobs", status_code=202, tags=["jobs"])
    async def submit(request: JobRequest, response: Response) -> JobInfo:
        """Queue an experiment. One runs at a time, and eight wait; 429 for one more."""
        job = service.jobs.submit(request)
        response.headers["Location"] = f"/v1/jobs/{job.id}"
        return job

    @app.get("/v1/jobs", tags=["jobs"])
    async def jobs() -> JobList:
        """The jobs that are kept, without what they have printed and found."""
        return JobList(jobs=[job.model_copy(update={"text": "", "errors": "", "result": None}) for job in service.jobs])

    @app.get("/v1/jobs/{number}", tags=["jobs"])
    async def job(number: JobNumber) -> JobInfo:
        """What has become of one."""
        return service.jobs.get(number)

    @app.delete("/v1/jobs/{number}", status_code=204, response_class=Response, tags=["jobs"])
    async def cancel(number: JobNumber) -> None:
        """End it, if it has not ended, and forget it."""
        await service.jobs.cancel(number)


def _views(app: FastAPI, service: Service) -> None:
    listed = ShownList(
        views=[ShownInfo(name=one.name, title=one.title, what=one.what, shelf=one.shelf) for one in SHELF.values()]
    )
    words = vocabulary()

    @app.get("/v1/views", tags=["views"])
    async def views() -> ShownList:
        """The scripts that have names: what each is called, and what there is to see."""
        return listed

    @app.post("/v1/views", tags=["views"], response_model=ScriptView, openapi_extra={"requestBody": openapi.SCRIPT})
    async def view_of(request: Request) -> Response:
        """Run a script, and say what came of it: `swaplab.script-view/1`, which is all that a page shows of it."""
        return Response(await service.scripts.answer(await request.body(), Kind.VIEW), media_type=JSON)

    @app.get("/v1/views/{view}", tags=["views"], response_model=ScriptView, responses=UNCHANGED)
    async def view(view: ViewName, if_none_match: Annotated[str | None, Header(max_length=256)] = None) -> Response:
        """The view of a script that has a name; 304 if it is the one that is named as If-None-Match."""
        body = await service.scripts.shown(view)
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache"}
        if if_none_match is not None and etag in if_none_match:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=JSON, headers=headers)

    @app.get("/v1/vocabulary", tags=["views"])
    async def script_vocabulary() -> Vocabulary:
        """What scripts can consist of, for an editor: calls, constants, points, states, bounds."""
        return words
