"""`/docs` and `/openapi.json`: every route is there, and every line for curl works when typed."""

import html
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Route

from swaplab.service import hot, openapi

from .served import Served, serving


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as one:
        yield one


def test_the_document_written_by_hand_is_the_route_table() -> None:
    routes = [route for route in hot.routes(None) if isinstance(route, Route)]  # type: ignore[arg-type]
    table = {
        (route.path.replace(":path}", "}"), method.lower())
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert table == {(path, method) for path, operations in openapi.PATHS.items() for method in operations}


def test_the_document_names_its_schemas(served: Served) -> None:
    document = served.client.get("/openapi.json").json()
    text = str(document)
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in document["components"]["schemas"], name
    assert document["paths"]["/v1/chains"]["post"]["responses"]["200"]


def test_it_loads_nothing_from_elsewhere_and_has_no_script(served: Served) -> None:
    page = served.client.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<script" not in page.text
    for url in re.findall(r'(?:src|href)="([^"]+)"', page.text):
        assert url.startswith(("/", "#"))
        if url.startswith("/"):
            assert served.client.get(url).status_code == 200


def test_every_line_for_curl_works_when_typed(served: Served, tmp_path: Path) -> None:
    """One after the other, as they stand there."""
    page = served.client.get("/docs").text
    lines = [html.unescape(line) for line in re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)]
    routes = re.findall(r"<h3>(\w+) ([^<]+)</h3>", page)
    assert len(lines) == len(routes) == sum(map(len, served.client.get("/openapi.json").json()["paths"].values()))
    for (method, path), line in zip(routes, lines, strict=True):
        bounded = line.replace("curl", "curl --silent --show-error --fail-with-body --max-time 2", 1)
        done = subprocess.run(["bash", "-c", bounded], capture_output=True, timeout=30, cwd=tmp_path)
        expected = (0, 28) if path == "/v1/events" else (0,)  # which ends when curl has had its time
        assert done.returncode in expected, (method, path, line, done)
        if path.endswith(("/pages/{slot}", "pages:get")):
            assert b"\0" not in done.stdout, "nothing for a terminal that is none"
