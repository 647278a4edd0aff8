"""Each route does its job, and says what it does not do, over a real connection."""

from collections.abc import Iterator
from errno import EINVAL, ENOENT
from typing import Any

import pytest

from swaplab.service.frames import Frame, pack, unpack

from .served import FRAMES, OCTETS, PAGE, Served, serving


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as one:
        one.client.put("/v1/stores/s", json={"size_pages": 4096}).raise_for_status()
        one.client.put("/v1/caches/c", json={}).raise_for_status()
        yield one
        assert one.terminate() == 0


def frames_of(body: bytes) -> list[Frame]:
    return unpack(body, max_items=64, max_item_bytes=1 << 17)


class TestStores:
    def test_a_page_is_kept_until_it_is_deleted(self, served: Served) -> None:
        client = served.client
        put = client.put("/v1/stores/s/pages/1", content=PAGE, headers=OCTETS)
        assert (put.status_code, put.headers["swaplab-placed"], put.content) == (204, "zswap", b"")
        for _ in range(2):
            got = client.get("/v1/stores/s/pages/1")
            assert (got.status_code, got.headers["content-type"], got.content) == (
                200,
                "application/octet-stream",
                PAGE,
            )
        assert (
            client.put("/v1/stores/s/pages/1", content=bytes(4096), headers=OCTETS).headers["swaplab-placed"] == "zero"
        )
        assert client.get("/v1/stores/s/pages/1").content == bytes(4096)
        assert client.delete("/v1/stores/s/pages/1").status_code == 204
        assert client.delete("/v1/stores/s/pages/1").status_code == 404
        assert client.get("/v1/stores/s/pages/1").status_code == 404

    def test_a_folio_is_pages_at_consecutive_slots(self, served: Served) -> None:
        client = served.client
        folio = b"".join(bytes([n]) * 4096 for n in range(1, 17))
        assert client.put("/v1/stores/s/folios/100", content=folio, headers=OCTETS).status_code == 204
        assert client.get("/v1/stores/s/pages/115").content == bytes([16]) * 4096
        assert client.put("/v1/stores/s/folios/0", content=PAGE * 512, headers=OCTETS).status_code == 204

    def test_many_pages_go_in_frames(self, served: Served) -> None:
        body = pack([Frame(PAGE, place=2000), Frame(bytes([7]) * 8192, place=2002)])
        answer = served.client.post("/v1/stores/s/pages:put", content=body, headers=FRAMES)
        assert frames_of(answer.content) == [Frame(place=2000), Frame(place=2002)]
        wanted = pack([Frame(place=2003), Frame(place=2001), Frame(place=2000)])
        answer = served.client.post("/v1/stores/s/pages:get", content=wanted, headers=FRAMES)
        assert answer.headers["content-type"] == "application/vnd.swaplab.frames"
        assert frames_of(answer.content) == [
            Frame(bytes([7]) * 4096, 0, 2003),
            Frame(b"", -ENOENT, 2001),
            Frame(PAGE, 0, 2000),
        ]

    def test_one_is_made_once_and_found_again(self, served: Served) -> None:
        client, settings = served.client, {"compressor": "deflate-iaa", "max_pool_bytes": 1 << 21, "size_pages": 64}
        made = client.put("/v1/stores/mine", json=settings)
        assert (made.status_code, made.json()["settings"]) == (201, settings)
        assert client.put("/v1/stores/mine", json=settings).status_code == 200
        other = client.put("/v1/stores/mine", json={**settings, "size_pages": 65})
        assert (other.status_code, other.headers["content-type"]) == (409, "application/problem+json")
        client.put("/v1/stores/mine/pages/0", content=PAGE, headers=OCTETS).raise_for_status()
        told = client.get("/v1/stores/mine").json()
        assert (told["pages"], told["stats"]["stored_pages"], told["figures"]["original_bytes"]) == (1, 1, 4096)
        assert "mine" in client.get("/v1/stores").json()["names"]
        path = "/v1/stores/mine/tree/sys/module/zswap/parameters/compressor"
        assert client.get(path).text == "deflate-iaa\n"
        assert client.delete("/v1/stores/mine").status_code == 204
        assert client.get("/v1/stores/mine").status_code == 404

    def test_without_room_the_answer_says_what_is_gone(self, served: Served) -> None:
        client = served.client
        client.put("/v1/stores/small", json={"size_pages": 2}).raise_for_status()
        refusal = client.put("/v1/stores/small/folios/1", content=PAGE * 2, headers=OCTETS)
        assert (refusal.status_code, "within the 2" in refusal.json()["title"]) == (422, True)
        client.delete("/v1/stores/small").raise_for_status()


class TestCaches:
    @pytest.mark.parametrize("key", ["k", "a/b/c", "%C3%A9", "a%2Fb", "%00", "x" * 1024])
    def test_a_value_of_any_key_is_kept_until_it_is_deleted(self, served: Served, key: str) -> None:
        client, path = served.client, f"/v1/caches/c/{key}"
        assert client.put(path, content=b"any length", headers=OCTETS).status_code == 204
        assert client.get(path).content == b"any length"
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404

    def test_a_key_is_text_and_not_too_long(self, served: Served) -> None:
        assert served.client.get("/v1/caches/c/%FF").json()["title"] == "the key is no UTF-8"
        assert served.client.get("/v1/caches/c/" + "x" * 1025).status_code == 422

    def test_slashes_and_what_is_decoded_to_them_are_one_key(self, served: Served) -> None:
        served.client.put("/v1/caches/c/p%2Fq", content=b"1", headers=OCTETS)
        assert served.client.get("/v1/caches/c/p/q").content == b"1"

    @pytest.mark.parametrize("ttl", ["0", "-1", "nan", "x", "1e99"])
    def test_a_ttl_is_seconds(self, served: Served, ttl: str) -> None:
        answer = served.client.put(f"/v1/caches/c/t?ttl_s={ttl}", content=b"1", headers=OCTETS)
        assert (answer.status_code, "ttl_s" in answer.json()["title"]) == (422, True)
        assert served.client.put("/v1/caches/c/t?ttl_s=60", content=b"1", headers=OCTETS).status_code == 204

    def test_its_counters_are_there(self, served: Served) -> None:
        told = served.client.get("/v1/caches/c").json()
        assert told["stats"]["sets"] >= 1
        assert set(told["figures"]) == {"ratio", "hit_ratio", "overhead_bytes", "raw_by_cause"}


class TestChains:
    @pytest.mark.parametrize(
        ("algorithm", "interface"),
        [
            ("deflate-iaa", "chain"),
            ("deflate-iaa", "unit"),
            ("deflate-iaa", "array"),
            ("zstd-threads", "chain"),
            ("zstd-threads", "unit"),
            ("zstd-generic", "single"),
            ("lzo-generic", "single"),
        ],
    )
    def test_what_is_compressed_is_decompressed(self, served: Served, algorithm: str, interface: str) -> None:
        pages = [bytes([n]) * 4096 for n in range(12)]
        query: dict[str, Any] = {"algorithm": algorithm, "interface": interface}
        answer = served.client.post("/v1/chains", params=query, content=pack(map(Frame, pages)), headers=FRAMES)
        assert (answer.status_code, answer.headers["swaplab-code"]) == (200, "0")
        blobs = frames_of(answer.content)
        assert [(frame.err, frame.path) for frame in blobs] == [(0, int(algorithm == "deflate-iaa"))] * 12
        assert all(0 < len(frame.data) < 4096 for frame in blobs)
        back = {**query, "direction": "decompress"} | ({} if interface != "unit" else {"interface": "single"})
        answer = served.client.post(
            "/v1/chains", params=back, content=pack(Frame(f.data) for f in blobs), headers=FRAMES
        )
        assert [frame.data for frame in frames_of(answer.content)] == pages

    def test_a_failing_item_has_its_error_and_the_call_its_code(self, served: Served) -> None:
        body = pack([Frame(b"no stream"), Frame(b"nor this")])
        query = {"algorithm": "deflate-iaa", "direction": "decompress"}
        answer = served.client.post("/v1/chains", params=query, content=body, headers=FRAMES)
        assert answer.status_code == 200
        assert [frame.err for frame in frames_of(answer.content)] == [-EINVAL] * 2
        assert answer.headers["swaplab-code"] == str(-EINVAL)

    @pytest.mark.parametrize(
        ("query", "status", "said"),
        [
            ({"algorithm": "zstdd"}, 404, "zstdd"),
            ({"interface": "chains"}, 422, "chains"),
            ({"direction": "up"}, 422, "up"),
            ({"algorithm": "lzo-generic", "interface": "chain"}, 422, "takes no chains"),
            ({"algorithm": "zstd-threads", "interface": "unit", "direction": "decompress"}, 422, "takes no units"),
        ],
    )
    def test_what_cannot_be_is_said(self, served: Served, query: dict[str, str], status: int, said: str) -> None:
        answer = served.client.post("/v1/chains", params=query, content=pack([Frame(PAGE)]), headers=FRAMES)
        assert (answer.status_code, said in answer.json()["title"]) == (status, True)

    def test_capacities_are_bounded(self, served: Served) -> None:
        query = {"algorithm": "zstd-threads", "direction": "decompress"}
        body = pack([Frame(b"x", place=1 << 17)] * 33)
        answer = served.client.post("/v1/chains", params=query, content=body, headers=FRAMES)
        assert (answer.status_code, "together" in answer.json()["title"]) == (422, True)
        body = pack([Frame(b"x", place=(1 << 17) + 1)])
        assert served.client.post("/v1/chains", params=query, content=body, headers=FRAMES).status_code == 422
        query["algorithm"], query["interface"] = "lzo-generic", "single"
        body = pack([Frame(b"x", place=(1 << 16) + 1)])
        assert served.client.post("/v1/chains", params=query, content=body, headers=FRAMES).status_code == 422

    def test_the_algorithms_are_named(self, served: Served) -> None:
        found = {one["driver_name"] for one in served.client.get("/v1/algorithms").json()["algorithms"]}
        assert {"deflate-iaa", "zstd-threads", "lzo-generic"} <= found


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/no/such/page", None, 404),
        ("GET", "/v1/stores/none", None, 404),
        ("GET", "/v1/stores/none/pages/1", None, 404),
        ("PUT", "/v1/stores/Bad", b"{}", 422),
        ("PUT", "/v1/stores/s/pages/1", PAGE[1:], 422),
        ("PUT", "/v1/stores/s/pages/1", PAGE + b"x", 413),
        ("PUT", "/v1/stores/s/pages/-1", PAGE, 422),
        ("PUT", "/v1/stores/s/pages/99999", PAGE, 422),
        ("PUT", "/v1/stores/s/pages/" + "9" * 5000, PAGE, 422),
        ("PUT", "/v1/stores/s/pages/%D9%A1", PAGE, 422),
        ("PUT", "/v1/stores/s/folios/1", b"", 422),
        ("PUT", "/v1/stores/s/folios/1", PAGE * 513, 413),
        ("POST", "/v1/stores/s/pages/1", PAGE, 405),
        ("PATCH", "/v1/stores/s", b"{}", 405),
        ("GET", "/v1/stores/s/tree/etc/passwd", None, 404),
        ("GET", "/v1/stores/s/tree/../../../etc/passwd", None, 404),
        ("GET", "/docs/../../etc/passwd", None, 404),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str | int) else "",
)
def test_what_is_refused(served: Served, method: str, path: str, content: bytes | None, status: int) -> None:
    kind = {"content-type": "application/json"} if content == b"{}" else OCTETS
    answer = served.client.request(method, path, content=content, headers=kind if content is not None else {})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"status", "title", "remedy"}


def test_head_is_get_without_the_body(served: Served) -> None:
    """On one connection, so that a body that came nevertheless would be taken for the next answer."""
    client = served.client
    client.put("/v1/stores/s/pages/7", content=PAGE, headers=OCTETS).raise_for_status()
    client.put("/v1/caches/c/k", content=b"value", headers=OCTETS).raise_for_status()
    values = {"slot": "7", "key": "k", "view": "chain", "path": "sys/module/zswap/parameters/compressor"}
    paths = client.get("/openapi.json").json()["paths"]
    gets = {path for path, operations in paths.items() if "get" in operations} - {"/v1/events", "/v1/jobs/{number}"}
    for path in sorted(gets | {"/docs", "/static/docs.css", "/openapi.json"}):
        url = path.format(**values, name="c" if "caches" in path else "s")
        got, head = client.get(url), client.head(url)
        assert (head.status_code, head.content) == (got.status_code, b"") == (200, b""), url
        assert head.headers["content-type"] == got.headers["content-type"]
    assert client.patch("/v1/jobs", json={}).headers["allow"] == "GET, HEAD, POST"


def test_what_has_no_end_has_no_head(served: Served) -> None:
    for refused in (served.client.head("/v1/events"), served.client.patch("/v1/events", json={})):
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("field", ["sizes", "__class__"])
def test_settings_are_what_is_documented(served: Served, field: str) -> None:
    answer = served.client.put("/v1/stores/other", json={field: 1})
    assert (answer.status_code, field in answer.json()["title"]) == (422, True)
    answer = served.client.put("/v1/stores/other", json={"compressor": "zstdd"})
    assert (answer.status_code, "zstdd" in answer.json()["title"]) == (422, True)
    answer = served.client.put("/v1/stores/other", content=b"{", headers={"content-type": "application/json"})
    assert answer.status_code == 422
