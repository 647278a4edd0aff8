"""`swaplab store`, run as a user would: tables, files, last line, exit codes."""

import json
import os
import random
import zlib
from pathlib import Path

import pytest
from typer.testing import CliRunner

import zswap
from acomp import PAGE_SIZE
from swaplab.cli.commands import app
from swaplab.realbytes import comparison
from zswap.pool.size_classes import SizeClass, size_class_of

pytestmark = [pytest.mark.threads, pytest.mark.slow]
runner = CliRunner()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    rng = random.Random("tree")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "text").write_bytes(b" ".join(rng.choices([b"alpha", b"beta", b"gamma"], k=20000)))
    (tmp_path / "tree" / "noise").write_bytes(rng.randbytes(3 * PAGE_SIZE))
    (tmp_path / "tree" / "short").write_bytes(b"short")
    return tmp_path / "tree"


def pages_in(tree: Path) -> int:
    return sum(-(-file.stat().st_size // PAGE_SIZE) for file in tree.iterdir())


@pytest.mark.parametrize(("folio", "nr_pages"), [("4K", 1), ("64K", 16), ("2M", 512)])
def test_every_page_comes_back(tree: Path, tmp_path: Path, folio: str, nr_pages: int) -> None:
    out = tmp_path / "out.json"
    args = ["store", str(tree), "--folio", folio, "--compressor", "deflate-iaa", "--compressor", "zstd"]
    result = runner.invoke(app, [*args, "--json", str(out)])
    assert result.exit_code == 0, result.output
    pages = -(-pages_in(tree) // nr_pages) * nr_pages
    assert result.output.splitlines()[-1] == f"{pages} pages, {pages * PAGE_SIZE} bytes verified, 0 differ"
    report = comparison.Report.model_validate_json(out.read_text())
    assert [(c.compressor, c.mode, c.tasks) for c in report.columns] == [
        ("deflate-iaa", "sequential", 1),
        ("deflate-iaa", "batching", 1),
        ("deflate-iaa", "sequential", 8),
        ("deflate-iaa", "batching", 8),
        ("zstd", "sequential", 1),
        ("zstd", "sequential", 8),
    ]
    assert all(column.stored_pages + column.rejected_pages == pages for column in report.columns)
    assert all(len(timing.pages_per_s) == 3 for timing in report.run.timings)


def test_the_two_modes_store_the_same_and_noise_is_rejected_with_its_reason(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    runner.invoke(app, ["store", str(tree), "--folio", "4K", "--compressor", "deflate-iaa", "--json", str(out)])
    columns = json.loads(out.read_text())["columns"]
    assert {column["rejected_pages"] for column in columns} == {3}
    assert {column["reject_compress_fail"] for column in columns} == {3}
    assert len({column["pool_total_size"] for column in columns}) == 1


def test_the_tables_are_explained_by_what_is_in_them(tree: Path) -> None:
    def prose(*args: str) -> str:
        shown = runner.invoke(app, ["store", str(tree), *args], env={"COLUMNS": "80"}).output
        return " ".join(" ".join(line for line in shown.splitlines() if line and line[0].isalpha()).split())

    both = prose("--compressor", "deflate-iaa", "--compressor", "zstd", "--folio", "4K")
    assert "real seconds of an emulation: this host's cpus do the work of deflate-iaa" in both
    assert "There is no batching column for zstd: software compresses page by page" in both
    assert "page by page the first one ends its folio, while a chain is finished" in both  # the noise is rejected
    assert "The ratio is that of the pool: bytes stored over all of its memory" in both
    (tree / "noise").unlink()
    software = prose("--compressor", "lz4", "--folio", "4K")
    assert "ratio is that of the pool" in software
    assert not any(word in software for word in ("emulation", "no batching column", "ends its folio"))


def test_page_by_page_a_folio_counts_one_failure_and_in_chains_all_of_the_chain_that_fails(tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(random.Random("noise").randbytes(2 * 16 * PAGE_SIZE))
    out = tmp_path / "out.json"
    runner.invoke(app, ["store", str(tmp_path / "noise"), "--compressor", "deflate-iaa", "--json", str(out)])
    columns = [column for column in json.loads(out.read_text())["columns"] if column["tasks"] == 1]
    counted = [(column["mode"], column["rejected_pages"], column["reject_compress_fail"]) for column in columns]
    assert counted == [("sequential", 32, 2), ("batching", 32, 16)]


def test_a_lost_byte_is_found(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = zswap.Zswap.load

    async def damaged(store: zswap.Zswap, offset: int, *, keep: bool = False) -> bytes | None:
        page = await load(store, offset, keep=keep)
        return page if offset != 3 or page is None else page[:-1] + b"!"

    monkeypatch.setattr(zswap.Zswap, "load", damaged)
    result = runner.invoke(app, ["store", str(tree), "--folio", "4K", "--compressor", "lz4"])
    assert result.exit_code == 1
    assert result.output.splitlines()[-1].endswith("verified, 6 differ")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "exists"),
        (["--compressor", "zst", "."], "did you mean 'zstd'"),
        (["--compressor", "deflate-iax", "."], "did you mean 'deflate-iaa'"),
        ([os.devnull], "neither a file nor a directory"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(
    tree: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    monkeypatch.chdir(tree)
    result = runner.invoke(app, ["store", *args])
    assert result.exit_code == 2
    assert message in result.output


def test_a_rejected_page_is_read_back_from_the_device(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = zswap.FileDevice.read
    monkeypatch.setattr(zswap.FileDevice, "read", lambda device, slot, nr: read(device, slot, nr)[:-1] + b"!")
    result = runner.invoke(app, ["store", str(tree), "--folio", "4K", "--compressor", "lz4"])
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        f"{pages_in(tree)} pages, {pages_in(tree) * PAGE_SIZE} bytes verified, 18 differ"
    )


def test_with_features_the_counters_are_a_kernels(tree: Path, tmp_path: Path) -> None:
    (tree / "zeroes").write_bytes(bytes(2 * PAGE_SIZE))
    out = tmp_path / "out.json"
    args = ["store", str(tree), "--features", "6.12", "--folio", "4K", "--compressor", "deflate", "--compressor", "lzo"]
    result = runner.invoke(app, [*args, "--json", str(out)])
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1].endswith("bytes verified, 0 differ")
    report = json.loads(out.read_text())
    assert report["schema"] == "swaplab.counters/1"
    pages = pages_in(tree)
    deflate, lzo = report["columns"]
    assert deflate == {
        "compressor": "deflate",
        "zero_pages": 2,
        "stored_pages": pages - 2 - 3,
        "reject_compress_fail": 3,
        "reject_compress_poor": 0,
        "pool_total_size": expected_pool(tree),
    }
    assert (lzo["reject_compress_fail"], lzo["reject_compress_poor"]) == (0, 3)


def expected_pool(tree: Path) -> int:
    """Whole zspages for the compressible pages, by the classes alone."""
    classes: dict[SizeClass, int] = {}
    for file in sorted(tree.iterdir()):
        data = file.read_bytes()
        for at in range(0, len(data), PAGE_SIZE):
            page = data[at : at + PAGE_SIZE].ljust(PAGE_SIZE, b"\0")
            deflater = zlib.compressobj(6, zlib.DEFLATED, -11, 8)
            blob = deflater.compress(page) + deflater.flush()
            if any(page) and len(blob) <= PAGE_SIZE:
                size_class = size_class_of(len(blob))
                classes[size_class] = classes.get(size_class, 0) + 1
    return sum(-(-count // c.objs_per_zspage) * c.pages_per_zspage * PAGE_SIZE for c, count in classes.items())


def test_a_kernel_without_large_folios_refuses_them_and_every_page_comes_back(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    args = ["store", str(tree), "--features", "6.12", "--folio", "64K", "--compressor", "zstd", "--json", str(out)]
    result = runner.invoke(app, args)
    assert result.exit_code == 0, result.output
    assert json.loads(out.read_text())["columns"][0]["stored_pages"] == 0


def test_an_empty_name_is_no_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = runner.invoke(app, ["store", ""])
    assert done.exit_code == 2 and "it is empty" in done.stderr
