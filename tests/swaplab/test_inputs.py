"""Inputs become pages: every file on a page of its own, folios of consecutive pages, and clear refusals."""

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from acomp import PAGE_SIZE
from swaplab.memory import memory_bytes
from swaplab.realbytes import inputs
from swaplab.realbytes.inputs import PARTS_OF_MEMORY, InputError, read_pages


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "long").write_bytes(b"L" * (PAGE_SIZE + 1))
    (tmp_path / "a").write_bytes(b"short")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    return tmp_path


def test_each_file_begins_on_a_page_and_its_tail_is_zero_padded(tree: Path) -> None:
    pages = read_pages([tree])
    assert len(pages) == 3
    assert bytes(pages.data) == b"short".ljust(PAGE_SIZE, b"\0") + (b"L" * (PAGE_SIZE + 1)).ljust(2 * PAGE_SIZE, b"\0")


def test_inputs_come_in_the_order_given(tree: Path) -> None:
    pages = read_pages([tree / "b" / "long", tree / "a"])
    assert bytes(pages.data[:1]) == b"L"
    assert bytes(pages.data[2 * PAGE_SIZE :][:5]) == b"short"


@pytest.mark.parametrize(("nr_pages", "folios"), [(1, 3), (2, 2), (3, 1), (16, 1)])
def test_the_last_folio_is_filled_with_zero_pages(tree: Path, nr_pages: int, folios: int) -> None:
    pages = read_pages([tree])
    cut = pages.folios(nr_pages)
    assert [len(folio) for folio in cut] == [nr_pages * PAGE_SIZE] * folios
    joined = b"".join(cut)
    assert joined.rstrip(b"\0") == bytes(pages.data).rstrip(b"\0")


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.*exists"):
        read_pages([tmp_path / "nowhere"])


def test_inputs_without_a_byte_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="no bytes"):
        read_pages([tmp_path])


def test_what_is_neither_file_nor_directory_is_refused_or_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither"):
        read_pages([tmp_path / "pipe"])
    (tmp_path / "file").write_bytes(b"x")
    assert read_pages([tmp_path]).files == 1


def test_an_unreadable_file_is_refused_when_named_and_counted_otherwise(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Path.open

    def refused(path: Path, *how: Any, **more: Any) -> Any:
        if path.name == "a":
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *how, **more)

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(InputError, match="a: Permission denied"):
        read_pages([tree / "a"])
    pages = read_pages([tree])
    assert (pages.files, pages.skipped) == (2, 1)
    assert "Permission denied" in pages.first_skipped


def test_what_would_take_more_than_half_of_the_memory_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "memory_bytes", lambda: 3 * PARTS_OF_MEMORY * PAGE_SIZE)
    assert len(read_pages([tree])) == 3
    (tree / "b" / "more").write_bytes(b"m")
    with pytest.raises(InputError, match="half of the memory there is; name fewer of them"):
        read_pages([tree])


@pytest.mark.parametrize("named", [True, False])
def test_a_huge_file_is_refused_by_its_size_before_a_byte_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    sparse = tmp_path / "sparse"
    sparse.touch()
    os.truncate(sparse, 1 << 40)

    def opened(path: Path, *_: object, **__: object) -> None:
        raise AssertionError(f"{path} was opened")

    memory = memory_bytes()  # which looks into files of its own
    monkeypatch.setattr(inputs, "memory_bytes", lambda: memory)
    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(InputError, match="half of the memory there is"):
        read_pages([sparse if named else tmp_path])


def test_pages_are_in_memory_once(tmp_path: Path) -> None:
    size = 64 * inputs.PIECE // 16
    (tmp_path / "large").write_bytes(b"L" * (size - 1))
    tracemalloc.start()
    try:
        pages = read_pages([tmp_path])
        folios = pages.folios(512)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(map(len, folios)) == size
    assert peak < size * 1.05


def test_who_waits_hears_of_every_page(tree: Path) -> None:
    heard: list[int] = []
    read_pages([tree], heard.append)
    assert sum(heard) == 3


def test_a_file_that_shrinks_while_it_is_read_leaves_zeros(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walk = inputs._walk

    def shrinking(*arguments: Any, **named: Any) -> Any:
        yield from list(walk(*arguments, **named))
        (tree / "b" / "long").write_bytes(b"less")

    monkeypatch.setattr(inputs, "_walk", shrinking)
    assert bytes(read_pages([tree]).data[PAGE_SIZE:]) == b"less".ljust(2 * PAGE_SIZE, b"\0")


def test_the_default_is_the_standard_library_without_installed_packages(
    monkeypatch: pytest.MonkeyPatch, tree: Path
) -> None:
    (tree / "site-packages").mkdir()
    (tree / "site-packages" / "foreign").write_bytes(b"not ours")
    monkeypatch.setattr(inputs, "standard_library", lambda: tree)
    assert len(read_pages([])) == 3
    assert len(read_pages([tree])) == 4
