"""docs/fidelity.md says what the testbed file says, and the file says how well its fitted parameters fit."""

import importlib.util
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from swaplab.experiments.attribution import AttributionReport, Plan
from swaplab.experiments.calibration import FITTED_METRICS, PREDICTED_METRICS
from swaplab.experiments.usemem import UsememReport, corpus_digest, run_all
from swaplab.model.columns import BASE, V8
from swaplab.model.testbed import Calibration, load_testbed

DOCS = Path(__file__).parents[3] / "docs"
TESTBED = "spr-2s-8iaa"


def _docs_module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def page() -> ModuleType:
    return _docs_module("fidelity")


@pytest.fixture
def calibration() -> Calibration:
    found = load_testbed(TESTBED).calibration
    assert found is not None
    return found


def test_the_tables_are_those_of_the_testbed(page: ModuleType) -> None:
    text = (DOCS / "fidelity.md").read_text()
    assert "| zswap.lru_hold_ns |" in text
    assert page.drawn(text) == text, "run python docs/fidelity.py"


@pytest.mark.slow
def test_the_attribution_is_that_of_today() -> None:
    """The cheapest row is run again; it moves with whatever moves the others."""
    kept = AttributionReport.model_validate_json((DOCS / "attribution.json").read_text())
    alone = kept.attributions[-1]
    plan = Plan(load_testbed(TESTBED), Fraction(kept.scale), (alone.processes,), kept.compressor, kept.folio, kept.seed)
    requests = [plan.request(column.patches, alone.processes) for column in (BASE, V8)]
    assert kept.lengths_sha256 == corpus_digest(plan.request(V8.patches, kept.attributions[0].processes))
    found = [column.metric("throughput_total_kBps") for column in run_all(requests)]
    assert found == [alone.base_kbps, alone.v8_kbps], "run the commands at the top of docs/fidelity.py, and then it"
    for name in ("pinned", "unpinned"):
        runs = UsememReport.model_validate_json((DOCS / f"{name}.json").read_text())
        request = replace(plan.request(V8.patches, 30), scale=Fraction(runs.scale))
        assert (runs.pinned, runs.lengths_sha256) == (name == "pinned", corpus_digest(request))


@pytest.mark.slow
def test_only_who_is_pinned_gains_by_the_map() -> None:
    """What the page says of --unpinned, at a small scale."""
    plan = Plan(load_testbed(TESTBED), Fraction(1, 8192))
    base, mapped = plan.request((), 30), plan.request((8,), 30)
    gains = []
    for pinned in (True, False):
        before, after = run_all([replace(base, pinned=pinned), replace(mapped, pinned=pinned)])
        gains.append(after.throughput_total_kbps / before.throughput_total_kbps - 1)
    assert gains[0] > 0.25 and abs(gains[1]) < 0.05


def test_every_cell_is_there_once(calibration: Calibration) -> None:
    columns = [(compressor, column) for compressor in ("deflate-iaa", "zstd") for column in ("base", "v8")]
    expected = [(*column, metric) for column in columns for metric in (*FITTED_METRICS, *PREDICTED_METRICS)]
    assert [(cell.compressor, cell.column, cell.metric) for cell in calibration.cells] == expected


def test_errors_are_those_of_the_figures(calibration: Calibration) -> None:
    for cell in calibration.cells:
        assert cell.error == pytest.approx(cell.modelled / cell.published - 1, abs=1e-4)
        assert cell.fitted == (cell.metric in FITTED_METRICS)


def test_counts_follow_from_the_length_factors(calibration: Calibration) -> None:
    assert max(abs(cell.error) for cell in calibration.cells if not cell.fitted) < 0.015


def test_the_freeing_is_counted_as_the_page_says() -> None:
    freeing = _docs_module("freeing")
    base, v8 = (freeing.count_column("zstd", column, "64K", Fraction(1, 2048)) for column in ("base", "v8"))
    kept = {(run.column, run.folio): run for run in freeing.KEPT.validate_json(freeing.RUNS.read_bytes())}
    assert base.owners_per_cluster == pytest.approx(kept["base", "64K"].owners_per_cluster, rel=0.1)
    assert base.entries_per_piece < 2 < 4 < v8.entries_per_piece
    assert v8.owners_per_zspage < 2 < base.owners_per_zspage
    assert v8.free_s < base.free_s
