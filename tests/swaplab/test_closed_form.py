"""The closed form and the simulation agree where the formula claims to hold: no device contended, no early leavers."""

from fractions import Fraction

import pytest

from swaplab.experiments.tables import Request
from swaplab.experiments.usemem import run_usemem
from swaplab.model import closed_form
from swaplab.model.columns import BASE, V8, Column, patches_column
from swaplab.model.testbed import load_testbed

pytestmark = pytest.mark.slow

TESTBED = "spr-2s-8iaa"
GOOD_TO = 0.07


@pytest.mark.parametrize(
    ("compressor", "column", "sharing", "scale"),
    [
        ("zstd", BASE, 0, Fraction(1, 4096)),
        ("zstd", V8, 0, Fraction(1, 4096)),
        ("deflate-iaa", V8, 8, Fraction(1, 4096)),
    ],
    ids=["zstd base", "zstd v8", "deflate-iaa v8"],
)
def test_simulation_and_formula_agree(compressor: str, column: Column, sharing: int, scale: Fraction) -> None:
    testbed = load_testbed(TESTBED)
    simulated = run_usemem(Request(testbed, column, compressor, "64K", scale))
    beyond = testbed.usemem.processes * testbed.usemem.pages_per_process - testbed.usemem.memory_high_pages
    formula = closed_form.estimate(
        testbed,
        closed_form.Case(
            compressor,
            pool_pages_per_page=1 - beyond / simulated.zswpout,
            sharing=sharing,
            batching=column is V8,
            unbatched_store=column is BASE,
        ),
    )
    assert formula.zswpout == pytest.approx(simulated.zswpout)
    assert simulated.throughput_total_kbps == pytest.approx(formula.throughput_total_kbps, rel=GOOD_TO)
    assert simulated.elapsed_s == pytest.approx(formula.elapsed_s, rel=GOOD_TO)
    assert simulated.sys_s == pytest.approx(formula.sys_s, rel=GOOD_TO)


@pytest.mark.parametrize("processes", [1, 8])
@pytest.mark.parametrize("column", [patches_column("8,9"), V8], ids=lambda column: column.name)
def test_simulation_and_formula_agree_where_nothing_is_contended(processes: int, column: Column) -> None:
    testbed = load_testbed(TESTBED)
    request = Request(testbed, column, "deflate-iaa", "64K", Fraction(1, 2048), processes=processes)
    simulated = run_usemem(request)
    high = testbed.usemem.memory_high_pages * processes // testbed.usemem.processes
    usemem = testbed.usemem.model_copy(update={"processes": processes, "memory_high_pages": high})
    formula = closed_form.estimate(
        testbed.model_copy(update={"usemem": usemem}),
        closed_form.Case(
            "deflate-iaa",
            pool_pages_per_page=1 - (processes * usemem.pages_per_process - high) / simulated.zswpout,
            sharing=-(-processes // 4),
            batching=column is V8,
            unbatched_store=column is not V8,
        ),
    )
    assert simulated.throughput_total_kbps == pytest.approx(formula.throughput_total_kbps, rel=GOOD_TO)


@pytest.mark.parametrize(
    ("sharing", "bound"), [(28, "the busiest device"), (8, "the shared lock"), (0, "the shared lock")]
)
def test_the_slowest_of_three_bounds_sets_the_pace(sharing: int, bound: str) -> None:
    testbed = load_testbed(TESTBED)
    faster = {
        "the busiest device": testbed.with_values({"iaa.service_ns": testbed.value("iaa.service_ns") / 2}),
        "the shared lock": testbed.with_values({"zswap.lru_hold_ns": testbed.value("zswap.lru_hold_ns") / 2}),
    }
    column = closed_form.Case("deflate-iaa", 0.39, sharing, batching=True, unbatched_store=False)
    before = closed_form.estimate(testbed, column).throughput_total_kbps
    gains = {name: closed_form.estimate(other, column).throughput_total_kbps / before for name, other in faster.items()}
    assert max(gains, key=lambda name: gains[name]) == bound
    assert gains[bound] > 1.2
