"""The hot routes in the OpenAPI document, written by hand, for Starlette knows nothing of it."""

from typing import Any, Final

from fastapi import FastAPI

from swaplab.story.script import Script

from . import frames
from .bodies import JSON, OCTETS, TEXT
from .bounds import MAX_ITEMS, MAX_STORE_PAGES
from .chains import DIRECTIONS, INTERFACES
from .models import NAME_PATTERN, Refusal
from .problems import MEDIA_TYPE

_NAME: Final = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
}
_SLOT: Final = {
    "name": "slot",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 0, "maximum": MAX_STORE_PAGES - 1},
}
_KEY: Final = {
    "name": "key",
    "in": "path",
    "required": True,
    "description": "Text of at most 1,024 bytes as UTF-8, percent-encoded; it may have slashes.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 1024},
}
_PATH: Final = {"name": "path", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
_TTL: Final = {"name": "ttl_s", "in": "query", "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": 1e9}}
_COMPONENT: Final = "#/components/schemas/{model}"
_BINARY: Final = {"type": "string", "format": "binary"}


def _query(name: str, default: str, known: tuple[str, ...] = ()) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "default": default} | ({"enum": list(known)} if known else {})
    return {"name": name, "in": "query", "schema": schema}


def _body(media_type: str) -> dict[str, Any]:
    return {"required": True, "content": {media_type: {"schema": _BINARY}}}


def _answer(description: str, media_type: str | None = None) -> dict[str, Any]:
    content = {} if media_type is None else {"content": {media_type: {"schema": _BINARY}}}
    return {"description": description, **content}


def _json(description: str, model: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": {"$ref": _COMPONENT.format(model=model)}}}}


SCRIPT: Final = {"required": True, **_json("`swaplab.script/1`.", "Script")}
"""The body of a request that has one."""
_REFUSED: Final = {
    "description": "It was not done: the cause, and the remedy.",
    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Refusal"}}},
}


def _operation(
    tag: str, summary: str, parameters: list[Any], responses: dict[str, Any], body: dict[str, Any] | None = None
) -> dict[str, Any]:
    operation = {"tags": [tag], "summary": summary, "parameters": parameters, "responses": responses}
    return operation if body is None else {**operation, "requestBody": body}


_FRAMED: Final = _answer(f"Up to {MAX_ITEMS} items, in the order in which they came.", frames.MEDIA_TYPE)
_DONE: Final = {"204": {"description": "Done."}}

PATHS: Final[dict[str, dict[str, Any]]] = {
    "/v1/stores/{name}/pages/{slot}": {
        "get": _operation(
            "stores",
            "The page at a slot, which stays.",
            [_NAME, _SLOT],
            {"200": _answer("4096 bytes.", OCTETS)},
        ),
        "put": _operation(
            "stores",
            "Keep a page of 4096 bytes. `Swaplab-Placed` says where: zero, zswap, device.",
            [_NAME, _SLOT],
            _DONE,
            _body(OCTETS),
        ),
        "delete": _operation("stores", "Forget a page.", [_NAME, _SLOT], _DONE),
    },
    "/v1/stores/{name}/folios/{slot}": {
        "put": _operation(
            "stores",
            "Keep up to 512 pages at consecutive slots, all or none: 507 where the store's file has no room for them;"
            " then the pages that were there are gone.",
            [_NAME, _SLOT],
            _DONE,
            _body(OCTETS),
        )
    },
    "/v1/stores/{name}/tree/{path}": {
        "get": _operation(
            "stores",
            "A file of the store, by its path in the kernel, such as sys/kernel/debug/zswap/stored_pages.",
            [_NAME, _PATH],
            {"200": _answer("Its text.", TEXT)},
        ),
        "put": _operation(
            "stores",
            "Write a file, such as sys/module/zswap/parameters/compressor.",
            [_NAME, _PATH],
            _DONE,
            _body(TEXT),
        ),
    },
    "/v1/stores/{name}/pages:get": {
        "post": _operation(
            "stores",
            "The pages at the slots of empty frames; one that is not there has the error -2 (ENOENT).",
            [_NAME],
            {"200": _FRAMED},
            _body(frames.MEDIA_TYPE),
        )
    },
    "/v1/stores/{name}/pages:put": {
        "post": _operation(
            "stores",
            "Keep folios at the slots of the frames; one that has no room has the error -28 (ENOSPC).",
            [_NAME],
            {"200": _FRAMED},
            _body(frames.MEDIA_TYPE),
        )
    },
    "/v1/caches/{name}/{key}": {
        "get": _operation(
            "caches",
            "The value of a key.",
            [_NAME, _KEY],
            {"200": _answer("Its bytes.", OCTETS)},
        ),
        "put": _operation(
            "caches",
            "Keep a value, of at most 8 MiB and less than 90 % of the cache after compression.",
            [_NAME, _KEY, _TTL],
            _DONE,
            _body(OCTETS),
        ),
        "delete": _operation("caches", "Forget a value.", [_NAME, _KEY], _DONE),
    },
    "/v1/chains": {
        "post": _operation(
            "chains",
            "Compress or decompress items as requests of one chain. `Swaplab-Code` is what the call returned, which"
            " for a chain is the first item's: look at each item's err.",
            [
                _query("algorithm", "zstd"),
                _query("direction", "compress", DIRECTIONS),
                _query("interface", "chain", INTERFACES),
            ],
            {"200": _FRAMED},
            _body(frames.MEDIA_TYPE),
        )
    },
    "/healthz": {
        "get": _operation(
            "service",
            "Whether the process serves.",
            [],
            {"200": _json("It does.", "Health")},
        )
    },
    "/v1/scripts": {
        "post": _operation(
            "chains",
            "Run a script, `swaplab.script/1`: calls with the kernel's names, each with its result and what it means.",
            [],
            {"200": _json("What became of each call, `swaplab.script-run/1`.", "ScriptRun")},
            SCRIPT,
        )
    },
}
"""By path and method, as OpenAPI has them."""


def document(app: FastAPI) -> dict[str, Any]:
    """The document of all routes, in place of FastAPI's own: make it the application's `openapi`."""
    if app.openapi_schema is None:
        made = FastAPI.openapi(app)
        schemas = made["components"]["schemas"]
        for name in ("HTTPValidationError", "ValidationError"):  # we refuse in our own words
            del schemas[name]
        schemas["Refusal"] = Refusal.model_json_schema()
        script = Script.model_json_schema(ref_template=_COMPONENT)
        schemas |= script.pop("$defs")
        schemas["Script"] = script
        for operations in made["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        made["paths"].update(PATHS)
        for operations in made["paths"].values():
            for operation in operations.values():
                operation["responses"]["default"] = _REFUSED
        app.openapi_schema = made
    return app.openapi_schema
