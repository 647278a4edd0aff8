"""Other sites, other names, no token: refused before anything happens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .served import OCTETS, PAGE, Served, header_lines, refused, serving, token_file


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("--allow-host", "swap.example") as one:
        yield one


def test_every_answer_has_the_headers(served: Served) -> None:
    for path in ("/healthz", "/nothing", "/v1/stores/none/pages/1", "/openapi.json"):
        headers = served.client.get(path).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
            " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "swap.example", "LOCALHOST"])
def test_our_names_are_taken(served: Served, host: str) -> None:
    assert served.client.get("/healthz", headers={"host": f"{host}:{served.port}"}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost", "localhost:1", "127.0.0.1.evil.example:{port}", ""])
def test_a_name_that_was_rebound_to_us_is_not(served: Served, host: str) -> None:
    answer = served.client.get("/healthz", headers={"host": host.format(port=served.port)})
    assert answer.status_code == 421


def test_a_request_without_a_name_or_with_two_is_not_taken(served: Served) -> None:
    host = f"Host: localhost:{served.port}"
    assert served.raw(header_lines("GET /healthz HTTP/1.0")).startswith(b"HTTP/1.1 421")
    two = served.raw(header_lines("GET /healthz HTTP/1.1", host, host, "Connection: close"))
    assert two.split()[1] == b"400"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://localhost:{port}"}, 200),
        ({"origin": "http://127.0.0.1:{port}"}, 403),
        ({"origin": "https://localhost:{port}"}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-encoding": "identity"}, 200),
    ],
)
def test_what_another_site_may_make_a_browser_send_is_refused(
    served: Served, headers: dict[str, str], status: int
) -> None:
    host = f"localhost:{served.port}"
    sent = {"host": host, "content-type": "application/json", **headers}
    sent = {name: value.format(port=served.port) for name, value in sent.items()}
    answer = served.client.put("/v1/stores/s", content=b"{}", headers=sent)
    assert answer.status_code == status or (status, answer.status_code) == (200, 201)


def test_reading_is_not_refused_to_another_site_but_says_nothing_to_it(served: Served) -> None:
    answer = served.client.get("/healthz", headers={"sec-fetch-site": "cross-site", "origin": "http://evil.example"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_with_a_token_only_who_has_it_may(tmp_path: Path) -> None:
    with serving("--token-file", str(token_file(tmp_path))) as served:
        client = served.client
        assert client.get("/healthz").status_code == 200
        for path in ("/readyz", "/v1/stores", "/openapi.json"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        for wrong in ("Bearer " + "t" * 31, "Bearer " + "u" * 32, "bearer" + "t" * 32, "Basic dDp0"):
            assert client.get("/v1/stores", headers={"authorization": wrong}).status_code == 401
        right = {"authorization": "Bearer " + "t" * 32}
        assert client.get("/v1/stores", headers=right).status_code == 200
        client.put("/v1/stores/s", json={}, headers=right).raise_for_status()
        assert client.put("/v1/stores/s/pages/1", content=PAGE, headers=OCTETS).status_code == 401
        assert served.terminate() == 0
        assert served.process.stderr is not None
        assert "t" * 31 not in served.process.stderr.read()


class TestRefusedAtTheStart:
    def test_beyond_loopback_without_a_token(self) -> None:
        assert "--token-file" in refused("--host", "0.0.0.0", "--port", "0")

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
    def test_a_token_that_others_can_read(self, tmp_path: Path, mode: int) -> None:
        assert "chmod 600" in refused("--token-file", str(token_file(tmp_path, mode=mode)))

    @pytest.mark.parametrize("token", ["", "t" * 31, "t" * 40 + " x", "é" * 32])
    def test_a_token_that_is_none(self, tmp_path: Path, token: str) -> None:
        assert "holds no token" in refused("--token-file", str(token_file(tmp_path, token)))

    def test_a_token_file_that_is_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(token_file(tmp_path))
        assert "link" in refused("--token-file", str(tmp_path / "link"))

    def test_a_port_that_is_taken(self) -> None:
        with serving() as served:
            assert "Address already in use" in refused("--port", str(served.port))

    def test_a_machine_that_is_none(self) -> None:
        assert "no-such-machine" in refused("--port", "0", "--machine", "no-such-machine")
