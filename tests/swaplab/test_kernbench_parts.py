"""What the kernel build is made of: memory's bookkeeping, contents, and the fit of the base columns."""

import random
from fractions import Fraction
from statistics import mean

import pytest

from acomp import PAGE_SIZE
from swaplab.experiments.kernbench import KernbenchColumn
from swaplab.experiments.kernbench_fit import Base, solve
from swaplab.model.columns import BASE
from swaplab.model.corpus import pages_of
from swaplab.model.machine import Setup, stream_of
from swaplab.model.testbed import load_testbed
from swaplab.workloads.kernbench.memory import Memory, OutOfMemoryError, runs
from swaplab.workloads.kernbench.pages import Needs, corpus
from swaplab.workloads.kernbench.sizes import Sizes

PAGE, LARGE = bytes(PAGE_SIZE), bytes(4 * PAGE_SIZE)
TESTBED = load_testbed("spr-2s-8iaa")


def memory() -> Memory:
    return Memory(4, random.Random("memory"))


def test_the_oldest_leaves_first_and_large_folios_are_aligned() -> None:
    held = memory()
    for data in (PAGE, LARGE, PAGE):
        held.add(data)
    assert [held.take_oldest() for _ in range(3)] == [(0, PAGE), (4, LARGE), (8, PAGE)]
    assert held.pages == 6
    with pytest.raises(OutOfMemoryError):
        held.take_oldest()


def test_a_page_in_swap_comes_back_once_and_what_is_left_can_be_dropped() -> None:
    held = memory()
    assert held.take_swapped() is None
    held.add(LARGE)
    held.swapped_out(*held.take_oldest())
    back = held.take_swapped()
    assert back in range(4)
    assert held.take_left() == [page for page in range(4) if page != back]
    assert held.take_left() == [] and held.take_swapped() is None
    assert held.pages == 0


def test_pages_in_swap_stay_findable_whichever_left() -> None:
    held = memory()
    for _ in range(20):
        held.add(LARGE)
        held.swapped_out(*held.take_oldest())
    back = [page for page in (held.take_swapped() for _ in range(50)) if page is not None]
    left = [page for _ in range(20) for page in held.take_left()]
    assert len(back) == 50 and sorted(back + left) == list(range(80))


def test_runs() -> None:
    assert list(runs([])) == []
    assert list(runs([1, 2, 3, 7, 9, 10])) == [(1, 3), (7, 1), (9, 2)]


def test_new_folios_keep_the_declared_share_whatever_comes_back() -> None:
    sizes = Sizes.of(Setup(TESTBED, BASE, "deflate-iaa", "64K"), Fraction(1, 1024))
    needs = Needs(sizes, file_share=0.5, seed=0)
    pages = {1: 0, 16: 0}
    for turn in range(6000):
        if turn % 2:
            needs.came_back(PAGE)
            pages[1] += 1
        else:
            nr = len(needs.next_folio()) // PAGE_SIZE
            pages[nr] += nr
    share = pages[16] / sum(pages.values())
    assert share == pytest.approx(sizes.large_pages / sizes.out_pages, abs=0.01)


def test_contents_are_bounded_distinct_and_compress_as_declared() -> None:
    pages = pages_of(corpus(0, 16).folios())
    assert len({page[:32] for page in pages}) == len(pages) == 256
    assert pages_of(corpus(1, 16).folios()) != pages
    for compressor, kept in (("deflate-iaa", 0.47), ("zstd", 0.43)):
        factor = TESTBED.length_factors[compressor].value
        lengths = [min(len(stream_of(compressor)(page)) * factor, PAGE_SIZE) for page in pages]
        assert mean(lengths) / PAGE_SIZE == pytest.approx(kept, abs=0.03)
        assert max(lengths) < PAGE_SIZE


def column(sys_s: float, real_s: float, zswpout: int, zswpin: int, large: int) -> KernbenchColumn:
    zeroes = {"pswpout": 0, "pswpin": 0, "swpout_fallback": 0, "pgmajfault": 0, "SWPOUT": 0}
    times = {"real_s": real_s, "user_s": 0.0, "sys_s": sys_s}
    counts = {"zswpout": zswpout, "zswpin": zswpin, "ZSWPOUT": large}
    return KernbenchColumn.model_validate(
        {"name": "base", "compressor": "x", "patches": [], **times, **counts, **zeroes}
    )


def test_the_fit_finds_the_parameters_that_were_missing() -> None:
    """Two columns that lack 1 us per order-0 page, 50 s, and 2 us of idle per page swapped in."""
    work = TESTBED.kernbench
    assert work is not None
    columns = []
    for zswpout, zswpin, large in ((100_000_000, 30_000_000, 3_000_000), (80_000_000, 25_000_000, 2_500_000)):
        missing = (zswpout - 16 * large + zswpin) * 1e-6 + 50
        real_s = 700 + (missing + zswpin * 2e-6) / work.threads.value
        columns.append(Base(column(4000, 700, zswpout, zswpin, large), {"sys_s": 4000 + missing, "real_s": real_s}))
    assert solve(work, columns) == {
        "order0_ns": work.order0_ns.value + 1000,
        "other_sys_s": work.other_sys_s.value + 50,
        "swapin_wait_ns": work.swapin_wait_ns.value + 2000,
    }
