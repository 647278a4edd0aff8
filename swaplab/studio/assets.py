"""The studio's files, by the path that they are served under: three pages, and what they load, all of it ours."""

import hashlib
from collections.abc import Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Final, NamedTuple

PAGES: Final = MappingProxyType({"/": "way.html", "/chain": "chain.html", "/script": "script.html"})
"""The file of each page."""

MEDIA_TYPES: Final = MappingProxyType(
    {
        "css": "text/css; charset=utf-8",
        "html": "text/html; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }
)
"""By the ending of a file's name: what is served has one of these, so nothing else gets out by accident."""


class Asset(NamedTuple):
    """A file: its bytes, its media type, and a tag that changes when they do."""

    body: bytes
    media_type: str
    etag: str


def assets() -> Mapping[str, Asset]:
    """Every file by its path, such as /chain and /static/fold.js."""
    return dict(_assets(resources.files(__package__)))


def _assets(here: Traversable) -> Iterator[tuple[str, Asset]]:
    for path, name in PAGES.items():
        yield path, _asset(here / "pages" / name)
    for file in sorted((here / "static").iterdir(), key=lambda file: file.name):
        yield f"/static/{file.name}", _asset(file)


def _asset(file: Traversable) -> Asset:
    body = file.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(body, MEDIA_TYPES[file.name.rpartition(".")[2]], f'"{digest}"')
