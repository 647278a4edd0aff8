"""Columns: a patch never comes without what it needs, columns come in one order, and what is no column is refused."""

from fractions import Fraction

import pytest

import acomp
from iaa_emulator.driver.units import UnitBatch
from swaplab.model.columns import (
    ALL_PATCHES,
    BASE,
    KERNELS,
    NEEDS,
    PATCH_TITLES,
    V8,
    ColumnError,
    parse_columns,
    patches_column,
    with_needs,
    without,
)
from swaplab.model.machine import Setup, simulate
from swaplab.model.testbed import load_testbed
from swaplab.workloads import usemem
from zswap import Params, StoreFeatures


@pytest.mark.parametrize(
    ("patch", "closure"),
    [
        (1, {1}),
        (4, {1, 2, 3, 4}),
        (5, {3, 5}),
        (9, {8, 9}),
        (13, {2, 12, 13}),
        (14, {1, 2, 3, 4, 12, 13, 14}),
    ],
)
def test_a_patch_brings_what_it_needs(patch: int, closure: set[int]) -> None:
    assert with_needs([patch]) == closure


def test_needs_of_needs_come_too_whatever_the_numbers() -> None:
    for patch in ALL_PATCHES:
        closed = with_needs([patch])
        assert all(NEEDS.get(member, set()) <= closed for member in closed)


@pytest.mark.parametrize(
    ("patch", "gone"), [(7, {7}), (8, {8, 9}), (2, {2, 4, 13, 14}), (12, {12, 13, 14}), (3, {3, 4, 5, 14})]
)
def test_without_a_patch_those_that_need_it_go_as_well(patch: int, gone: set[int]) -> None:
    assert without(patch) == ALL_PATCHES - gone


def test_every_patch_has_a_title() -> None:
    assert set(PATCH_TITLES) == ALL_PATCHES


def test_what_a_column_means_for_the_machine() -> None:
    assert (BASE.wqs_per_device, V8.wqs_per_device) == (1, 2)
    assert BASE.attributes() == {"verify_compress": "0", "sync_mode": "async"}
    assert V8.attributes("sync")["sync_mode"] == "sync"
    assert V8.attributes()["g_wqs_per_iaa"] == "1"
    assert not BASE.store.batched_store and V8.store.batched_store
    assert V8.driver.patches == set(range(1, 12))


@pytest.mark.parametrize("names", ["base,v8", "v8,base", " v8 , base "])
def test_columns_come_in_one_order(names: str) -> None:
    assert parse_columns(names) == [BASE, V8]


def test_patches_make_a_column_beside_base() -> None:
    columns = parse_columns(None, "9, 4,9")
    assert [column.name for column in columns] == ["base", "patches:4,9"]
    assert columns[1].patches == {1, 2, 3, 4, 8, 9}


@pytest.mark.parametrize(
    ("names", "patches", "expected"),
    [
        (None, None, ["base", "v8"]),
        ("v8", None, ["v8"]),
        ("v8", "8", ["patches:8", "v8"]),
        ("v8,base", "8", ["base", "patches:8", "v8"]),
    ],
)
def test_columns_that_were_named_are_there_whatever_else_is(
    names: str | None, patches: str | None, expected: list[str]
) -> None:
    assert [column.name for column in parse_columns(names, patches)] == expected


@pytest.mark.parametrize(
    ("names", "patches", "message"),
    [
        ("base,v7", None, "'v7'; there are base, v8, v9, v14, and --patches LIST"),
        ("", None, "no column ''"),
        ("base", "8,nine", "numbers such as 8,9"),
        ("base", "", "numbers such as 8,9"),
        ("base", "15", "no patch 15; the series has 1 to 14"),
        ("base", "0", "no patch 0"),
    ],
)
def test_what_is_no_column_is_refused_with_what_is(names: str, patches: str | None, message: str) -> None:
    with pytest.raises(ColumnError, match=message):
        parse_columns(names, patches)


def test_columns_of_later_revisions_differ_from_v8_in_their_store_alone() -> None:
    columns = parse_columns("v14,v9,v8,base", "8")
    assert [column.name for column in columns] == ["base", "patches:8", "v8", "v9", "v14"]
    v8, *later = columns[2:]
    for column in later:
        assert column.generation is not None
        assert (column.driver, column.attributes(), column.wqs_per_device) == (v8.driver, v8.attributes(), 2)
        assert column.store_params(compressor="zstd") == Params.for_generation(column.generation, compressor="zstd")
    for column in columns[:3]:
        params = column.store_params(compressor="zstd")
        assert (params.interface, params.scope, params.features) == ("chain", "folio", column.store)
    for column in (columns[0], v8):
        assert column.store_params().features == StoreFeatures.named(column.name)


def test_the_name_of_a_column_lists_what_was_asked_for() -> None:
    assert patches_column("14,8").name == "patches:8,14"


@pytest.mark.parametrize(("name", "numbered"), [("v8", None), ("v9", False), ("v14", True)])
def test_each_column_goes_down_by_the_interface_of_its_generation(
    name: str, numbered: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, perform = set[bool | None](), UnitBatch.perform

    async def noted(self: UnitBatch, units: acomp.Units) -> int:
        seen.add(self._numbered)
        return await perform(self, units)

    monkeypatch.setattr(UnitBatch, "perform", noted)
    setup = Setup(load_testbed("spr-2s-8iaa"), KERNELS[name], "deflate-iaa", "64K")
    assert simulate(usemem.run(setup, Fraction(1, 16384), processes=2)).events["zswpout"] > 0
    assert seen == ({numbered} if numbered is not None else set())


def test_the_generations_take_equally_long_where_nobody_shares_a_context() -> None:
    testbed = load_testbed("spr-2s-8iaa")
    setups = [Setup(testbed, KERNELS[name], "deflate-iaa", "64K") for name in ("v8", "v9", "v14")]
    v8, v9, v14 = (simulate(usemem.run(setup, Fraction(1, 8192))) for setup in setups)
    assert v8.processes == v9.processes == v14.processes
