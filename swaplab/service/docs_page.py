"""`/docs`: every route with a line for curl that works, from the OpenAPI document. Static HTML, no script."""

from html import escape
from typing import Any, Final

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
a { color: inherit; }
"""

EXAMPLES: Final = {
    "name": "demo",
    "slot": "7",
    "key": "greeting",
    "number": "1",
    "path": "sys/module/zswap/parameters/compressor",
}
"""What stands for the parameters of a path."""

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
    "post /v1/scripts": "-H 'content-type: application/json' -d '"
    '{"schema": "swaplab.script/1", "calls": [{"call": "crypto_alloc_acomp", "args": ["deflate-iaa"]}]}'
    "'",
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

FRAMES: Final = (
    "Frames, application/vnd.swaplab.frames, little-endian: for each item u32 length, i32 err, u64 slot or capacity,"
    " u8 path (0 software, 1 hardware), 7 zero bytes, then so many bytes. They end with the body, and answers come in"
    " order."
)


def curl(method: str, path: str, base: str) -> str:
    """A line that works, if the ones before it were typed."""
    route = f"{method} {path}"
    url = base + path.format(**EXAMPLES)
    options = {"get": "", "put": "-X PUT ", "post": "", "delete": "-X DELETE "}[method]
    output = " -o answer" if path == "/v1/chains" or path.endswith(":get") else " -N" if path == "/v1/events" else ""
    return f"{INPUTS.get(route, '')}curl {options}{BODIES.get(route, '')} {url}{output}".replace("  ", " ")


def page(document: dict[str, Any], base: str) -> str:
    """The page. `base` is where the service is, such as http://127.0.0.1:8420."""
    by_tag: dict[str, list[tuple[str, str, dict[str, Any]]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    sections = "".join(
        f'<section id="{escape(tag)}"><h2>{escape(tag)}</h2>{"".join(_route(*one, base) for one in routes)}</section>'
        for tag, routes in by_tag.items()
    )
    links = " · ".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in by_tag)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>swaplab: routes</title>'
        '<link rel="stylesheet" href="/static/docs.css"></head><body><main><h1>swaplab over HTTP</h1>'
        "<p>Chains of compression requests, compressed stores and caches. A refusal is"
        " <code>application/problem+json</code>: the cause as <code>title</code>, and a <code>remedy</code>."
        f' The whole document: <a href="/openapi.json">/openapi.json</a>.</p><p class="dim">{escape(FRAMES)}</p>'
        f"<p>{links}</p>{sections}</main></body></html>"
    )


def _route(method: str, path: str, operation: dict[str, Any], base: str) -> str:
    said = operation.get("description") or operation.get("summary", "")
    return (
        f"<h3>{method.upper()} {escape(path)}</h3><p>{escape(said)}</p>"
        f"<pre tabindex=0>{escape(curl(method, path, base))}</pre>"
        f'<p class="dim">Answers: {escape(", ".join(sorted(operation["responses"])))}</p>'
    )
