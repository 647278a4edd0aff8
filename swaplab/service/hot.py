"""The routes that are called most, on bare Starlette: bodies of bytes in, bytes out. `api` has the others.

They are documented by hand in `openapi`, and a test holds the two together.
"""

from errno import EACCES, EIO, ENOENT
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import zswap
from acomp import PAGE_SIZE

from . import chains, frames
from .bodies import JSON, OCTETS, TEXT, number
from .bounds import FOLIO_BYTES, MAX_ITEM_BYTES, MAX_ITEMS, MAX_STORE_PAGES, MAX_TEXT_BYTES
from .frames import Frame
from .models import Health
from .problems import RefusalError
from .service import Service
from .stores import Store

PLACED: Final = "Swaplab-Placed"
CODE: Final = "Swaplab-Code"

# A response is sent as often as one likes.
_HEALTHY: Final = Response(Health(status="ok").model_dump_json(), media_type=JSON)
_DONE: Final = Response(status_code=204)
_PLACED: Final = {placed: Response(status_code=204, headers={PLACED: str(placed).lower()}) for placed in zswap.Placed}
_OCTETS_HEADER: Final = (b"content-type", OCTETS.encode())


class Octets(Response):
    """Bytes as they are, with the two headers that they need."""

    def __init__(self, body: bytes) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [(b"content-length", b"%d" % len(body)), _OCTETS_HEADER]


def routes(service: Service) -> list[Route]:
    """All of them, for one service, those first that are called most."""
    hot = _Hot(service)
    return [
        Route("/v1/stores/{name}/pages/{slot}", hot.page, methods=["GET", "PUT", "DELETE"]),
        Route("/healthz", _healthy, methods=["GET"]),
        Route("/v1/caches/{name}/{key:path}", hot.value, methods=["GET", "PUT", "DELETE"]),
        Route("/v1/stores/{name}/folios/{slot}", hot.put_folio, methods=["PUT"]),
        Route("/v1/stores/{name}/tree/{path:path}", hot.file, methods=["GET", "PUT"]),
        Route("/v1/stores/{name}/pages:get", hot.get_pages, methods=["POST"]),
        Route("/v1/stores/{name}/pages:put", hot.put_pages, methods=["POST"]),
        Route("/v1/chains", hot.chain, methods=["POST"]),
        Route("/v1/scripts", hot.script, methods=["POST"]),
    ]


class _Hot:
    def __init__(self, service: Service) -> None:
        self._service = service

    async def page(self, request: Request) -> Response:
        """One page: keep it, look at it, forget it."""
        store, slot = self._place(request)
        if request.method == "PUT":
            data = await self._service.reception.body(request, OCTETS, PAGE_SIZE)
            if len(data) != PAGE_SIZE:
                raise RefusalError(422, f"a page is {PAGE_SIZE} bytes, not {len(data)}", "send a whole page")
            return _PLACED[await store.put(slot, data)]
        missing = f"there is no page at slot {slot}"
        if request.method == "DELETE":
            return _deleted(await store.delete(slot), missing)
        return _found(await store.get(slot), missing)

    async def put_folio(self, request: Request) -> Response:
        """Several pages at consecutive slots, all or nothing."""
        store, slot = self._place(request)
        data = await self._service.reception.body(request, OCTETS, FOLIO_BYTES)
        if not data or len(data) % PAGE_SIZE:
            raise RefusalError(422, f"a folio is whole pages of {PAGE_SIZE} bytes, not {len(data)}", "send whole pages")
        return _PLACED[await store.put(slot, data)]

    async def get_pages(self, request: Request) -> Response:
        """Pages by the slots of the frames; one that is not there has the error -ENOENT."""
        store = self._service.stores[request.path_params["name"]]
        wanted = await self._frames(request, max_item_bytes=0)
        found = []
        for item in wanted:
            page = await store.get(item.place) if item.place < store.settings.size_pages else None
            found.append(Frame(page or b"", 0 if page else -ENOENT, item.place))
        return _framed(found)

    async def put_pages(self, request: Request) -> Response:
        """Folios by the slots of the frames, one after the other; one that is refused has its error."""
        store = self._service.stores[request.path_params["name"]]
        items = await self._frames(request)
        for position, item in enumerate(items):
            if not item.data or len(item.data) % PAGE_SIZE:
                cause = f"item {position} has {len(item.data)} bytes, which is no whole number of pages of {PAGE_SIZE}"
                raise RefusalError(422, cause, "send whole pages")
            store.check(item.place, len(item.data) // PAGE_SIZE, f"item {position}: ")
        done = []
        for item in items:
            try:
                await store.put(item.place, item.data)
                done.append(Frame(place=item.place))
            except RefusalError as error:
                if not isinstance(error.__cause__, OSError):
                    raise
                done.append(Frame(err=-(error.__cause__.errno or EIO), place=item.place))
        return _framed(done)

    async def file(self, request: Request) -> Response:
        """A file of the store's text tree, which has no others."""
        tree = self._service.stores[request.path_params["name"]].tree
        path = f"/{request.path_params['path']}"
        try:
            if request.method == "PUT":
                text = await self._service.reception.body(request, TEXT, MAX_TEXT_BYTES)
                tree.write(path, text.decode())
                return _DONE
            return Response(tree.read(path), media_type=TEXT)
        except zswap.ZswapError as error:
            raise RefusalError(422, str(error), "write another value") from None
        except OSError as error:
            if error.errno == EACCES:
                raise RefusalError(405, f"{path} is only read", "write another file", Allow="GET") from None
            raise RefusalError(404, f"there is no file {path}", "take one of GET .../tree") from None
        except UnicodeDecodeError:
            raise RefusalError(422, "the text is no UTF-8", "send UTF-8") from None

    async def value(self, request: Request) -> Response:
        """A value of a cache: keep it, look at it, forget it."""
        cache = self._service.caches[request.path_params["name"]]
        key = _key(request)
        _known_only(request, ("ttl_s",) if request.method == "PUT" else ())
        if request.method == "PUT":
            ttl_s = _ttl(request)
            await cache.put(key, await self._service.reception.body(request, OCTETS), ttl_s)
            return _DONE
        missing = "there is no value for this key"
        if request.method == "DELETE":
            return _deleted(await cache.delete(key), missing)
        return _found(await cache.get(key), missing)

    async def chain(self, request: Request) -> Response:
        """Items as requests of one chain, or one by one, or as arrays or units."""
        query = request.query_params
        _known_only(request, ("algorithm", "direction", "interface"))
        tfm = self._service.transforms.of(query.get("algorithm", "zstd"))
        direction = _one_of(query.get("direction", "compress"), "direction", chains.DIRECTIONS)
        interface = _one_of(query.get("interface", "chain"), "interface", chains.INTERFACES)
        answer = await chains.run(tfm, direction, interface, await self._frames(request))  # type: ignore[arg-type]
        return _framed(answer.items, **{CODE: str(answer.code)})

    async def script(self, request: Request) -> Response:
        """Run a script in a process apart; its own JSON goes out as it came."""
        script = await self._service.reception.body(request, JSON)
        return Response(await self._service.scripts.answer(script), media_type=JSON)

    def _place(self, request: Request) -> tuple[Store, int]:
        parameters = request.path_params
        return self._service.stores[parameters["name"]], number(parameters["slot"], "a slot", MAX_STORE_PAGES - 1)

    async def _frames(self, request: Request, max_item_bytes: int = MAX_ITEM_BYTES) -> list[Frame]:
        body = await self._service.reception.body(request, frames.MEDIA_TYPE)
        try:
            return frames.unpack(body, max_items=MAX_ITEMS, max_item_bytes=max_item_bytes)
        except frames.FrameError as error:
            raise RefusalError(422, str(error), "send frames as /docs describes them") from None


async def _healthy(_: Request) -> Response:
    return _HEALTHY


def _framed(items: list[Frame], **headers: str) -> Response:
    return Response(frames.pack(items), media_type=frames.MEDIA_TYPE, headers=headers)


def _found(data: bytes | None, missing: str) -> Response:
    if data is None:
        raise RefusalError(404, missing, "put one there first")
    return Octets(data)


def _deleted(there: bool, missing: str) -> Response:
    if not there:
        raise RefusalError(404, missing, "nothing has to be done")
    return _DONE


def _one_of(value: str, name: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise RefusalError(422, f"{name} is none of {', '.join(known)}: {value[:40]!r}", "take one of these")
    return value


def _known_only(request: Request, known: tuple[str, ...]) -> None:
    """RefusalError for a query parameter that would change nothing, or that is there twice."""
    names = [name for name, _ in request.query_params.multi_items()]
    unknown = [name for name in names if name not in known]
    if unknown or len(set(names)) < len(names):
        cause = f"there is no query parameter {unknown[0][:40]!r}" if unknown else "a query parameter is there twice"
        raise RefusalError(422, cause, f"take one each of {', '.join(known)}" if known else "send none")


def _ttl(request: Request) -> float | None:
    text = request.query_params.get("ttl_s")
    if text is None:
        return None
    try:
        ttl_s = float(text)
    except ValueError:
        ttl_s = 0.0
    if not 0 < ttl_s <= 1e9:
        raise RefusalError(422, f"ttl_s is a number of seconds above 0, at most 1e9, not {text[:40]!r}", "send another")
    return ttl_s


def _key(request: Request) -> str:
    """The key as it stands in the path, percent-decoded; RefusalError 422 if that is no UTF-8."""
    raw: bytes = request.scope["raw_path"]
    prefix = f"/v1/caches/{request.path_params['name']}/".encode()
    try:
        key = unquote_to_bytes(raw[len(prefix) :]).decode()
        if not key:
            raise RefusalError(422, "the key is empty", "name the value behind the last slash")
        return key
    except UnicodeDecodeError:
        raise RefusalError(422, "the key is no UTF-8", "percent-encode its UTF-8 bytes") from None
