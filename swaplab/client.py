"""A client of `swaplab serve` (extra `swaplab[client]`): async, typed, one method per route.

async with Client("http://127.0.0.1:8420") as client:
    await client.make_store("demo", StoreSettings(size_pages=4096))
    await client.put_page("demo", 7, page)
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import quote

import httpx

from swaplab.service import frames
from swaplab.service.frames import Frame
from swaplab.service.job_models import JobInfo, JobList, JobRequest
from swaplab.service.models import (
    Algorithm,
    Algorithms,
    CacheInfo,
    CacheSettings,
    Health,
    Names,
    StoreInfo,
    StoreSettings,
)

__all__ = ["CacheSettings", "ChainAnswer", "Client", "Event", "Frame", "RefusedError", "StoreSettings"]

_OCTETS = {"content-type": "application/octet-stream"}
_FRAMES = {"content-type": frames.MEDIA_TYPE}


class RefusedError(Exception):
    """The service did not do it: `status`, `title` (the cause), `remedy`."""

    def __init__(self, status: int, title: str, remedy: str) -> None:
        super().__init__(status, title, remedy)
        self.status = status
        self.title = title
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.status}: {self.title}; {self.remedy}"


class ChainAnswer(NamedTuple):
    """What the call returned, and the items in order."""

    code: int
    items: list[Frame]


class Event(NamedTuple):
    """One event; give its `id` to `events` to go on after it."""

    id: str
    kind: str
    data: Mapping[str, Any]


class Client:
    """One connection pool to one service. Raises RefusedError for a refusal, httpx's errors for a connection."""

    def __init__(self, url: str = "http://127.0.0.1:8420", token: str | None = None, timeout_s: float = 60.0) -> None:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def health(self) -> Health:
        """Whether all that was kept is there."""
        return Health.model_validate_json((await self._ask("GET", "/readyz")).content)

    async def algorithms(self) -> list[Algorithm]:
        """The algorithms, and by which interfaces each takes items."""
        return Algorithms.model_validate_json((await self._ask("GET", "/v1/algorithms")).content).algorithms

    async def chain(
        self,
        items: Iterable[bytes | Frame],
        *,
        algorithm: str = "zstd",
        direction: str = "compress",
        interface: str = "chain",
    ) -> ChainAnswer:
        """Compress or decompress items in one call. A `Frame` says the capacity of its output as its `place`."""
        body = frames.pack(item if isinstance(item, Frame) else Frame(item) for item in items)
        query = {"algorithm": algorithm, "direction": direction, "interface": interface}
        answer = await self._ask("POST", "/v1/chains", params=query, content=body, headers=_FRAMES)
        return ChainAnswer(int(answer.headers["swaplab-code"]), _items(answer))

    async def script(self, script: Mapping[str, Any]) -> dict[str, Any]:
        """Run a script, `swaplab.script/1`; what became of it, `swaplab.script-run/1`."""
        answer: dict[str, Any] = (await self._ask("POST", "/v1/scripts", json=dict(script))).json()
        return answer

    async def stores(self) -> list[str]:
        """The names of all stores."""
        return Names.model_validate_json((await self._ask("GET", "/v1/stores")).content).names

    async def make_store(self, name: str, settings: StoreSettings | None = None) -> StoreInfo:
        """Make a store, or find it if it was made with these settings."""
        settings = settings or StoreSettings()
        return StoreInfo.model_validate_json((await self._put_json(f"/v1/stores/{name}", settings)).content)

    async def store(self, name: str) -> StoreInfo:
        """Its settings, counters and figures."""
        return StoreInfo.model_validate_json((await self._ask("GET", f"/v1/stores/{name}")).content)

    async def delete_store(self, name: str) -> None:
        """Forget it, and all of its pages."""
        await self._ask("DELETE", f"/v1/stores/{name}")

    async def put_page(self, store: str, slot: int, page: bytes) -> str:
        """Keep 4096 bytes; where they are: zero, zswap, device."""
        path = f"/v1/stores/{store}/pages/{slot}"
        return str((await self._ask("PUT", path, content=page, headers=_OCTETS)).headers["swaplab-placed"])

    async def get_page(self, store: str, slot: int) -> bytes | None:
        """The page at a slot; None if there is none."""
        return await self._found("GET", f"/v1/stores/{store}/pages/{slot}")

    async def delete_page(self, store: str, slot: int) -> bool:
        """Forget a page; whether there was one."""
        return await self._found("DELETE", f"/v1/stores/{store}/pages/{slot}") is not None

    async def put_folio(self, store: str, slot: int, folio: bytes) -> str:
        """Keep several pages at consecutive slots, all or none."""
        path = f"/v1/stores/{store}/folios/{slot}"
        return str((await self._ask("PUT", path, content=folio, headers=_OCTETS)).headers["swaplab-placed"])

    async def get_pages(self, store: str, slots: Sequence[int]) -> list[bytes | None]:
        """Up to 64 pages; None for each that is not there."""
        body = frames.pack(Frame(place=slot) for slot in slots)
        answer = await self._ask("POST", f"/v1/stores/{store}/pages:get", content=body, headers=_FRAMES)
        return [None if item.err else item.data for item in _items(answer)]

    async def put_pages(self, store: str, folios: Mapping[int, bytes]) -> dict[int, int]:
        """Keep up to 64 folios by slot; 0 or a negative errno for each."""
        body = frames.pack(Frame(data, place=slot) for slot, data in folios.items())
        answer = await self._ask("POST", f"/v1/stores/{store}/pages:put", content=body, headers=_FRAMES)
        return {item.place: item.err for item in _items(answer)}

    async def read_tree(self, store: str, path: str) -> str:
        """A file of the store by its path in the kernel."""
        return (await self._ask("GET", f"/v1/stores/{store}/tree/{path.lstrip('/')}")).text

    async def write_tree(self, store: str, path: str, text: str) -> None:
        """Write such a file: a parameter of the store."""
        headers = {"content-type": "text/plain"}
        await self._ask("PUT", f"/v1/stores/{store}/tree/{path.lstrip('/')}", content=text, headers=headers)

    async def tree(self, store: str) -> list[str]:
        """The paths of all its files."""
        return Names.model_validate_json((await self._ask("GET", f"/v1/stores/{store}/tree")).content).names

    async def caches(self) -> list[str]:
        """The names of all caches."""
        return Names.model_validate_json((await self._ask("GET", "/v1/caches")).content).names

    async def make_cache(self, name: str, settings: CacheSettings | None = None) -> CacheInfo:
        """Make a cache, or find it if it was made with these settings."""
        settings = settings or CacheSettings()
        return CacheInfo.model_validate_json((await self._put_json(f"/v1/caches/{name}", settings)).content)

    async def cache(self, name: str) -> CacheInfo:
        """Its settings, counters and figures."""
        return CacheInfo.model_validate_json((await self._ask("GET", f"/v1/caches/{name}")).content)

    async def delete_cache(self, name: str) -> None:
        """Forget it, and all of its values."""
        await self._ask("DELETE", f"/v1/caches/{name}")

    async def set(self, cache: str, key: str, value: bytes, *, ttl_s: float | None = None) -> None:
        """Keep a value."""
        query = {} if ttl_s is None else {"ttl_s": ttl_s}
        await self._ask("PUT", _value(cache, key), params=query, content=value, headers=_OCTETS)

    async def get(self, cache: str, key: str) -> bytes | None:
        """The value of a key; None if there is none."""
        return await self._found("GET", _value(cache, key))

    async def delete(self, cache: str, key: str) -> bool:
        """Forget a value; whether there was one."""
        return await self._found("DELETE", _value(cache, key)) is not None

    async def submit(self, request: JobRequest) -> JobInfo:
        """Queue an experiment."""
        return JobInfo.model_validate_json((await self._post_json("/v1/jobs", request)).content)

    async def job(self, number: int) -> JobInfo:
        """What has become of one."""
        return JobInfo.model_validate_json((await self._ask("GET", f"/v1/jobs/{number}")).content)

    async def jobs(self) -> list[JobInfo]:
        """Those that are kept, without what they have printed."""
        return JobList.model_validate_json((await self._ask("GET", "/v1/jobs")).content).jobs

    async def cancel(self, number: int) -> None:
        """End a job, and forget it."""
        await self._ask("DELETE", f"/v1/jobs/{number}")

    async def metrics(self) -> str:
        """All counters, as Prometheus reads them."""
        return (await self._ask("GET", "/metrics")).text

    async def events(
        self, *, job: int | None = None, store: str | None = None, after: str | None = None
    ) -> AsyncIterator[Event]:
        """What happens, until the service ends; `after` is the id of the last event that was seen."""
        query = {name: value for name, value in (("job", job), ("store", store)) if value is not None}
        headers = {} if after is None else {"last-event-id": after}
        async with self._http.stream("GET", "/v1/events", params=query, headers=headers, timeout=None) as answer:
            if answer.is_error:
                await answer.aread()
                raise _refused(answer)
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                elif "event" in fields:
                    yield Event(fields.get("id", ""), fields["event"], json.loads(fields["data"]))
                    fields = {}
                else:
                    fields = {}  # a heartbeat

    async def _put_json(self, path: str, model: StoreSettings | CacheSettings) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return await self._ask("PUT", path, content=model.model_dump_json(), headers=headers)

    async def _post_json(self, path: str, model: JobRequest) -> httpx.Response:
        headers = {"content-type": "application/json"}
        return await self._ask("POST", path, content=model.model_dump_json(), headers=headers)

    async def _found(self, method: str, path: str) -> bytes | None:
        """What is there; None for 404 of an item, and RefusedError for one of its store or cache."""
        try:
            return (await self._ask(method, path)).content
        except RefusedError as error:
            if error.status == 404 and error.title.startswith(("there is no page", "there is no value")):
                return None
            raise

    async def _ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        answer = await self._http.request(method, path, **request)
        if answer.is_error:
            raise _refused(answer)
        return answer


def _value(cache: str, key: str) -> str:
    return f"/v1/caches/{cache}/{quote(key, safe='').replace('.', '%2E')}"  # a key may be '..', which no path keeps


def _items(answer: httpx.Response) -> list[Frame]:
    return frames.unpack(answer.content, max_items=1 << 16, max_item_bytes=1 << 32)


def _refused(answer: httpx.Response) -> RefusedError:
    try:
        said = answer.json()
        return RefusedError(answer.status_code, said["title"], said["remedy"])
    except (ValueError, KeyError, TypeError):
        return RefusedError(answer.status_code, answer.reason_phrase, "ask whoever runs the service, or its proxy")
