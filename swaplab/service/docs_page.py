"""`/docs`: every route with a line for curl that works, from the OpenAPI document. Static HTML, no script."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, Final

from swaplab.story.calls import CALLS, FAULT_POINTS, NAMES

from .bodies import JSON

STYLE: Final = """:root { color-scheme: light dark;
  --ink: #1b1f24; --paper: #fff; --dim: #59636e; --line: #d1d9e0; --code: #f3f5f7; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0f1318; --dim: #9aa4ae; --line: #30363d; --code: #171c22; }
}
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); text-transform: capitalize; }
h3 { margin: 2rem 0 0.3rem; font-size: 1rem; font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
p { margin: 0.3rem 0; } .dim { color: var(--dim); }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 4px; padding: 0.6rem 0.8rem;
  overflow-x: auto; font-size: 0.85rem; }
a { color: inherit; } ul { margin: 0.4rem 0; padding-left: 1.2rem; font-size: 0.9rem; } li { margin: 0.2rem 0; }
code { overflow-wrap: anywhere; }
"""

EXAMPLES: Final = {
    "name": "demo",
    "slot": "7",
    "key": "greeting",
    "number": "1",
    "view": "chain",
    "path": "sys/module/zswap/parameters/compressor",
}
"""What stands for the parameters of a path."""

_SCRIPT: Final = (
    "-H 'content-type: application/json' -d '"
    '{"schema": "swaplab.script/1", "calls": [{"call": "crypto_alloc_acomp", "args": ["deflate-iaa"]}]}'
    "'"
)
BODIES: Final = {
    "put /v1/stores/{name}": """-H 'content-type: application/json' -d '{"size_pages": 4096}'""",
    "put /v1/caches/{name}": """-H 'content-type: application/json' -d '{"max_bytes": 16777216}'""",
    "post /v1/jobs": """-H 'content-type: application/json' -d '{"kind": "usemem", "scale": 4096}'""",
    "put /v1/caches/{name}/{key}": "-H 'content-type: application/octet-stream' --data-binary 'any bytes'",
    "put /v1/stores/{name}/tree/{path}": "-H 'content-type: text/plain' -d zstd-threads",
    "put /v1/stores/{name}/pages/{slot}": "-H 'content-type: application/octet-stream' --data-binary @-",
    "put /v1/stores/{name}/folios/{slot}": "-H 'content-type: application/octet-stream' --data-binary @-",
    "post /v1/stores/{name}/pages:put": "-H 'content-type: application/vnd.swaplab.frames' --data-binary @-",
    "post /v1/stores/{name}/pages:get": "-H 'content-type: application/vnd.swaplab.frames' --data-binary @-",
    "post /v1/scripts": _SCRIPT,
    "post /v1/views": _SCRIPT,
    "post /v1/chains": "-H 'content-type: application/vnd.swaplab.frames' --data-binary @-",
}
"""What curl sends, by method and path."""

_ONE_PAGE: Final = "head -c 4096 /dev/zero | "
_EIGHT_PAGES: Final = "head -c 32768 /dev/zero | "
_FRAME: Final = r"{ printf '\0\020\0\0\0\0\0\0\007\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'; head -c 4096 /dev/zero; } | "
_ASKED: Final = r"printf '\0\0\0\0\0\0\0\0\007\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0' | "
INPUTS: Final = {
    "put /v1/stores/{name}/pages/{slot}": _ONE_PAGE,
    "put /v1/stores/{name}/folios/{slot}": _EIGHT_PAGES,
    "post /v1/stores/{name}/pages:put": _FRAME,
    "post /v1/stores/{name}/pages:get": _ASKED,
    "post /v1/chains": _FRAME.replace(r"\007", r"\0"),
}
"""What comes before it."""
OUTPUTS: Final = {
    "get /v1/stores/{name}/pages/{slot}": " -o page",
    "put /v1/stores/{name}/pages/{slot}": " -i",
    "put /v1/stores/{name}/folios/{slot}": " -i",
    "post /v1/stores/{name}/pages:put": " -o answer",
    "post /v1/stores/{name}/pages:get": " -o answer",
    "post /v1/chains": " -o answer -D -",
    "get /v1/events": " -N",
}
"""What is not for a terminal, and headers that say something."""

FRAMES: Final = (
    "Frames, application/vnd.swaplab.frames, little-endian: for each item u32 length, i32 err, u64 place, u8 path, 7"
    " zero bytes, then so many bytes; up to 64 items of at most 131072 bytes, which end with the body. In a request"
    " err and path are 0. place is the slot for a store; for a chain it is the capacity of the item's output, 0 for"
    " the item's length or a page, whichever is more, and for a page in a decompression. An answer has the items in"
    " the same order, each with its negative errno or 0, the place that was asked for, and path 1 if the accelerator"
    " did it, else 0. Errors: -2 ENOENT no page, -7 E2BIG grew longer, -22 EINVAL no such stream, -28 ENOSPC no room,"
    " -75 EOVERFLOW longer than the capacity."
)
WHO: Final = (
    "A request names this server as Host (localhost, 127.0.0.1, [::1], or a name that it was started with), with the"
    " port. What a page of another site makes a browser send is refused unless it only reads: Sec-Fetch-Site has to be"
    " same-origin or none, and Origin, if there is one, http:// and the Host. Beyond loopback a token is needed:"
    " -H 'authorization: Bearer TOKEN' in every line. A body has the Content-Type of its line, and is at most 8 MiB."
    " HEAD is GET without the body, but for /v1/events. A name is a lower-case letter and up to 31 letters, digits and"
    " hyphens."
)
SCRIPTS: Final = (
    "A script is JSON: schema (swaplab.script/1), machine (devices, wqs_per_device, wq_size, engines_per_device,"
    " sync_mode, verify_compress, patches, landing), pages by name, each one of {text}, {random}, {fill}, {base64},"
    " and calls, each {call, args, as, task}. An argument is null, a boolean, an integer, a string, a list of these,"
    " or {ref: a name bound by as or task}, {page: name}, {buffer: bytes}, {sg: bytes}, {name: a constant}. A call"
    " that may wait is awaited with crypto_wait_req, or becomes a task that task.join ends. The calls:"
)


TAGS: Final = ("stores", "caches", "chains", "views", "jobs", "service")
METHODS: Final = ("put", "post", "get", "delete")
"""In the order in which somebody who types the lines gets on."""
BOUNDS: Final = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "maxLength": "of at most",
    "pattern": "like",
}
"""Of OpenAPI, in words."""


def curl(method: str, path: str, base: str) -> str:
    """A line that works, if the ones before it were typed."""
    route = f"{method} {path}"
    url = base + path.format(**EXAMPLES)
    options = {"get": "", "put": "-X PUT ", "post": "", "delete": "-X DELETE "}[method]
    return f"{INPUTS.get(route, '')}curl {options}{BODIES.get(route, '')} {url}{OUTPUTS.get(route, '')}".replace(
        "  ", " "
    )


def page(document: dict[str, Any], base: str) -> str:
    """The page. `base` is where the service is, such as http://127.0.0.1:8420."""
    by_tag = _by_tag(document["paths"])
    schemas = document["components"]["schemas"]
    sections = "".join(
        f'<section id="{escape(tag)}"><h2>{escape(tag)}</h2>'
        f"{''.join(_route(*one, schemas, base) for one in routes)}</section>"
        for tag, routes in by_tag.items()
    )
    links = " · ".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in [*by_tag, "scripts"])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>swaplab: routes</title>'
        '<link rel="icon" href="/static/favicon.svg" type="image/svg+xml">'
        '<link rel="stylesheet" href="/static/docs.css"></head><body>'
        '<header><nav aria-label="Pages">To see a chain happen: <a href="/">the way here</a> · '
        '<a href="/chain">one chain</a> · <a href="/script">your own chain</a></nav></header>'
        "<main><h1>swaplab over HTTP</h1>"
        "<p>Chains of compression requests, compressed stores and caches. The lines work when they are typed, from the"
        " first of a section to its last. A refusal is"
        " <code>application/problem+json</code>: the cause as <code>title</code>, and a <code>remedy</code>."
        f' The whole document: <a href="/openapi.json">/openapi.json</a>.</p><p>{escape(WHO)}</p>'
        f"<p>{escape(FRAMES)}</p><p>{links}</p>{sections}{_scripts()}</main></body></html>"
    )


def _by_tag(paths: dict[str, dict[str, Any]]) -> dict[str, list[tuple[str, str, dict[str, Any]]]]:
    """All routes, in an order in which things are made before they are used, and deleted last."""
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {tag: [] for tag in TAGS}
    for path, operations in paths.items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    for routes in by_tag.values():
        routes.sort(key=lambda route: (METHODS.index(route[0]), route[1].count("/") * (-1) ** (route[0] == "delete")))
    return by_tag


def _route(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any], base: str) -> str:
    said = operation.get("description") or operation.get("summary", "")
    return (
        f"<h3>{method.upper()} {escape(path)}</h3><p>{escape(said)}</p>"
        f"<pre tabindex=0>{escape(curl(method, path, base))}</pre>"
        f"{_list(_parameters(operation))}{_list(_fields(operation.get('requestBody', {}), schemas))}"
        f'<p class="dim">{_answers(operation["responses"], schemas)}</p>'
    )


def _list(items: Iterable[str]) -> str:
    lines = "".join(f"<li>{item}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else ""


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    """Those of path, query and header; what a name is stands above."""
    for parameter in operation.get("parameters", ()):
        if (parameter["in"], parameter["name"]) == ("path", "name"):
            continue
        said = _kind(parameter["schema"] | {name: parameter[name] for name in ("description",) if name in parameter})
        yield f"{parameter['in']} <code>{escape(parameter['name'])}</code>: {escape(said)}"


def _answers(responses: dict[str, Any], schemas: dict[str, Any]) -> str:
    codes = [code for code in sorted(responses) if code != "default"]
    bodies = [text for code in codes for text in _fields(responses[code], schemas)]
    bodies += [escape(kind) for code in codes for kind in responses[code].get("content", ()) if kind != JSON]
    return f"Answers {escape(', '.join(codes))}{f' with {bodies[0]}' if bodies else ''}; or a refusal."


def _fields(body: dict[str, Any], schemas: dict[str, Any]) -> Iterator[str]:
    """The fields of a JSON body, of each form that it may have."""
    body = body.get("content", {}).get(JSON, {}).get("schema", {})
    for one in body.get("oneOf", [body]):
        schema = schemas.get(one.get("$ref", "").rpartition("/")[2], {})
        fields = [
            f"<code>{escape(name)}</code> {escape(_kind(field))}"
            for name, field in schema.get("properties", {}).items()
        ]
        if fields:
            yield f"JSON {escape(schema['title'])}: {'; '.join(fields)}"


def _kind(schema: dict[str, Any]) -> str:
    """What a value may be, in a few words."""
    if "const" in schema:
        return f"always {schema['const']}"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema or "oneOf" in schema:
        kinds = " or ".join(_kind(one) for one in schema.get("anyOf") or schema["oneOf"])
        return f"{kinds} - {schema['description'].rstrip('.')}" if "description" in schema else kinds
    words = [" or ".join(map(str, schema["enum"])) if "enum" in schema else str(schema.get("type", "value"))]
    if "items" in schema:
        words.append(f"of {_kind(schema['items'])}")
    words += [f"{word} {_plain(schema[name])}" for name, word in BOUNDS.items() if name in schema]
    if schema.get("default") not in (None, ""):
        words.append(f"(default {schema['default']})")
    if "description" in schema:
        words.append(f"- {schema['description'].rstrip('.')}")
    return " ".join(words)


def _plain(bound: Any) -> Any:
    """A whole number as one: the document has floats."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _scripts() -> str:
    """What a script may be, and call."""
    calls = _list(f"<code>{escape(str(entry))}</code> {escape(entry.what)}" for entry in CALLS.values())
    points = _list(f"<code>{escape(point)}</code> {escape(what)}" for point, what in FAULT_POINTS.items())
    names = ", ".join(NAMES)
    return (
        f'<section id="scripts"><h2>scripts</h2><p>{escape(SCRIPTS)}</p>{calls}'
        f"<p>Constants: {escape(names)}. Points of fault.at:</p>{points}</section>"
    )
