"""Inputs become pages: every file on a page of its own, folios of consecutive pages, and clear refusals."""

import os
from pathlib import Path

import pytest

from acomp import PAGE_SIZE
from swaplab.realbytes import inputs
from swaplab.realbytes.inputs import InputError, read_pages


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


def _unreadable(path: Path) -> bytes:
    raise PermissionError(13, "Permission denied", str(path))


def test_an_unreadable_file_is_refused_when_named_and_counted_otherwise(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: _unreadable(path) if path.name == "a" else read(path))
    with pytest.raises(InputError, match="a: Permission denied"):
        read_pages([tree / "a"])
    pages = read_pages([tree])
    assert (pages.files, pages.skipped) == (2, 1)
    assert "Permission denied" in pages.first_skipped


def test_more_than_half_of_the_memory_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "_memory_limit", lambda: PAGE_SIZE)
    with pytest.raises(InputError, match="half of this machine's memory"):
        read_pages([tree])


def test_the_default_is_the_standard_library_without_installed_packages(
    monkeypatch: pytest.MonkeyPatch, tree: Path
) -> None:
    (tree / "site-packages").mkdir()
    (tree / "site-packages" / "foreign").write_bytes(b"not ours")
    monkeypatch.setattr(inputs, "standard_library", lambda: tree)
    assert len(read_pages([])) == 3
    assert len(read_pages([tree])) == 4
