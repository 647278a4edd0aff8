"""The studio's files over HTTP: whole, cached by tag, and open to everybody who reaches the server."""

from collections.abc import Iterator

import pytest

from swaplab.studio.assets import assets
from tests.swaplab.service.served import Served, serving, token_file

ASSETS = assets()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that wants a token, which these tests do not have."""
    with serving("--token-file", str(token_file(tmp_path_factory.mktemp("token")))) as one:
        yield one


def test_every_file_is_served_without_a_token(guarded: Served) -> None:
    for path, asset in ASSETS.items():
        answer = guarded.client.get(path)
        assert (answer.status_code, answer.content) == (200, asset.body)
        assert answer.headers["content-type"] == asset.media_type
        assert answer.headers["etag"] == asset.etag
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_media_types_are_those_that_a_browser_takes(guarded: Served) -> None:
    types = {path.rpartition(".")[2]: asset.media_type for path, asset in ASSETS.items() if "." in path}
    assert types == {
        "css": "text/css; charset=utf-8",
        "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    }
    assert ASSETS["/chain"].media_type == "text/html; charset=utf-8"


def test_who_has_it_already_is_told_so(guarded: Served) -> None:
    for path, asset in ASSETS.items():
        same = guarded.client.get(path, headers={"if-none-match": asset.etag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", asset.etag)
        assert guarded.client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_head_is_get_without_the_body(guarded: Served) -> None:
    for path, asset in ASSETS.items():
        head = guarded.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(asset.body))
        assert head.headers["content-type"] == asset.media_type


@pytest.mark.parametrize("path", ["/", "/chain", "/script", "/static/fold.js"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_but_reading_is_allowed(guarded: Served, method: str, path: str) -> None:
    answer = guarded.client.request(method, path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", ["/static/", "/static/none.js", "/static/../pages/chain.html", "/static/assets.py"])
def test_there_is_nothing_else(guarded: Served, path: str) -> None:
    assert guarded.raw(
        f"GET {path} HTTP/1.1\r\nHost: localhost:{guarded.port}\r\nConnection: close\r\n\r\n".encode()
    ).startswith(b"HTTP/1.1 404")


def test_what_the_pages_ask_for_wants_the_token(guarded: Served) -> None:
    for path in ("/v1/views", "/v1/views/chain", "/v1/vocabulary", "/docs"):
        assert guarded.client.get(path).status_code == 401
