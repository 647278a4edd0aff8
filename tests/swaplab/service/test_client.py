"""The client does what the routes do, one method each, on every loop with real time."""

from collections.abc import Iterator

import pytest

from swaplab.client import CacheSettings, Client, Frame, RefusedError, StoreSettings
from swaplab.service.job_models import UsememJob

from .served import PAGE, Served, serving, token_file

pytestmark = pytest.mark.threads


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as one:
        yield one


async def test_a_store(served: Served) -> None:
    async with Client(served.url) as client:
        made = await client.make_store("s", StoreSettings(size_pages=256))
        assert made.settings.size_pages == 256
        assert await client.put_page("s", 1, PAGE) == "zswap"
        assert await client.get_page("s", 1) == PAGE
        assert await client.get_page("s", 2) is None
        assert await client.put_folio("s", 10, PAGE * 2) == "zswap"
        assert await client.put_pages("s", {20: PAGE, 30: bytes(8192)}) == {20: 0, 30: 0}
        assert await client.get_pages("s", [20, 21, 31]) == [PAGE, None, bytes(4096)]
        assert await client.delete_page("s", 1) is True
        assert await client.delete_page("s", 1) is False
        assert (await client.store("s")).pages == 5
        assert await client.read_tree("s", "/sys/kernel/debug/zswap/stored_pages") == "3\n"
        await client.write_tree("s", "/sys/module/zswap/parameters/compressor", "deflate-iaa")
        assert await client.read_tree("s", "/sys/module/zswap/parameters/compressor") == "deflate-iaa\n"
        for path, text, status in (
            ("/sys/module/zswap/parameters/compressor", "zstdd", 422),
            ("/sys/kernel/debug/zswap/stored_pages", "1", 405),
            ("/etc/passwd", "x", 404),
        ):
            with pytest.raises(RefusedError, match=str(status)):
                await client.write_tree("s", path, text)
        assert "/sys/kernel/debug/zswap/stored_pages" in await client.tree("s")
        assert "s" in await client.stores()
        await client.delete_store("s")
        with pytest.raises(RefusedError, match="404: there is no store 's'; make it with PUT"):
            await client.get_page("s", 1)


async def test_a_cache(served: Served) -> None:
    async with Client(served.url) as client:
        await client.make_cache("c", CacheSettings(max_bytes=1 << 20))
        for key in ("k", "a/b", "ü ?#%", ".."):
            await client.set("c", key, b"value", ttl_s=60)
            assert await client.get("c", key) == b"value", key
            assert await client.delete("c", key) is True
            assert await client.get("c", key) is None
        assert (await client.cache("c")).settings.max_bytes == 1 << 20
        assert await client.caches() == ["c"]
        await client.delete_cache("c")


async def test_a_chain(served: Served) -> None:
    async with Client(served.url) as client:
        code, blobs = await client.chain([PAGE, bytes(4096)], algorithm="deflate-iaa")
        assert (code, len(blobs)) == (0, 2)
        plain = await client.chain(
            [Frame(blob.data, place=4096) for blob in blobs], algorithm="deflate-iaa", direction="decompress"
        )
        assert [item.data for item in plain.items] == [PAGE, bytes(4096)]
        found = {one.driver_name: one for one in await client.algorithms()}
        assert found["deflate-iaa"].interfaces == ["chain", "array", "unit", "single"]
        assert (found["lz4-generic"].name, found["lz4-generic"].interfaces) == ("lz4", ["single"])
        assert (await client.health()).status == "ok"


async def test_a_job_and_its_events(served: Served) -> None:
    async with Client(served.url) as client:
        job = await client.submit(UsememJob(kind="usemem", scale=4096, columns=["base"]))
        await client.cancel(job.id)
        last = ""
        async for event in client.events(job=job.id, after="nothing"):
            assert event.kind in ("gap", "job")
            last = event.id
            if event.data.get("status") == "cancelled":
                break
        assert last
        assert job.id not in [one.id for one in await client.jobs()]
        with pytest.raises(RefusedError, match="there is no job"):
            await client.job(job.id)
        assert "# HELP" in await client.metrics() or await client.stores() == []


async def test_with_a_token(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = token_file(tmp_path_factory.mktemp("token"))
    with serving("--token-file", str(path)) as served:
        async with Client(served.url) as client:
            with pytest.raises(RefusedError, match="401"):
                await client.stores()
        async with Client(served.url, token="t" * 32) as client:
            assert await client.stores() == []
