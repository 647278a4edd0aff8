"""Calibration finds parameters that were hidden from it, changes only those declared fitted, and comes to rest.

The machine is the closed form here, so that a fit takes no time; the command runs once on the real one.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.experiments import calibration
from swaplab.experiments.calibration import FITTED_METRICS, SHARING, Fit
from swaplab.experiments.tables import Request
from swaplab.experiments.usemem import UsememColumn
from swaplab.model import closed_form
from swaplab.model.columns import BASE, V8
from swaplab.model.published import Cell
from swaplab.model.testbed import Testbed, load_testbed

TESTBED = "spr-2s-8iaa"
POOL_PAGES_PER_PAGE = {"deflate-iaa": 0.3905, "zstd": 0.1964}
HIDDEN = {
    "iaa.service_ns": 1950.0,
    "zswap.lru_hold_ns": 400.0,
    "zswap.free_hold_ns": 480.0,
    "zswap.free_hold_zstd_factor": 1.4,
    "zswap.free_hold_unbatched_factor": 1.15,
    "zstd.compress_ns": 21000.0,
}


def formula(request: Request, testbed: Testbed) -> UsememColumn:
    """A column by the closed form."""
    base = request.column.name == "base"
    estimate = closed_form.estimate(
        testbed,
        closed_form.Case(
            request.compressor,
            POOL_PAGES_PER_PAGE[request.compressor],
            sharing=SHARING[request.column.name] if request.compressor == "deflate-iaa" else 0,
            batching=not base,
            unbatched_store=base,
        ),
    )
    integers = [name for name, field in UsememColumn.model_fields.items() if field.annotation is int]
    return UsememColumn.model_validate(
        dict.fromkeys(integers, 1000)
        | {
            "name": request.column.name,
            "compressor": request.compressor,
            "patches": [],
            "throughput_total_kbps": estimate.throughput_total_kbps,
            "throughput_avg_kbps": estimate.throughput_total_kbps / 30,
            "elapsed_s": estimate.elapsed_s,
            "sys_s": estimate.sys_s,
            "zswpout": round(estimate.zswpout),
        }
    )


@pytest.fixture
def formula_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_all(requests: Sequence[Request], workers: int, ran: Callable[[], object]) -> list[UsememColumn]:
        return [formula(request, request.setup.testbed) for request in requests]

    monkeypatch.setattr(calibration, "run_all", run_all)


@pytest.fixture
def hidden(formula_machine: None) -> Testbed:
    """A testbed whose published cells are those of another machine than its parameters say."""
    testbed = load_testbed(TESTBED)
    tables = []
    for table in testbed.published:
        columns = {column.name: column for column in (BASE, V8)}
        cells = []
        for cell in table.cells:
            if table.workload == "usemem" and cell.metric in FITTED_METRICS:
                request = Request(testbed, columns[cell.column], table.compressor, "64K", Fraction(1))
                figure = formula(request, testbed.with_values(HIDDEN)).metric(cell.metric)
                cells.append(Cell(metric=cell.metric, column=cell.column, values=(figure,)))
            else:
                cells.append(cell)
        tables.append(table.model_copy(update={"cells": tuple(cells)}))
    return testbed.model_copy(update={"published": tuple(tables)})


def test_hidden_parameters_are_found(hidden: Testbed) -> None:
    after = Fit(hidden, Fraction(1)).run()
    assert after.calibration is not None
    assert abs(after.calibration.worst().error) < 0.002
    for name, value in HIDDEN.items():
        assert after.value(name) == pytest.approx(value, rel=0.03)


def test_only_fitted_parameters_change(hidden: Testbed) -> None:
    before, after = hidden, Fit(hidden, Fraction(1)).run()
    assert set(before.parameters) == set(after.parameters)
    for name, parameter in before.parameters.items():
        assert after.parameters[name].model_copy(update={"value": parameter.value}) == parameter
        assert parameter.firmness == "fitted" or after.parameters[name] == parameter
    same = {"parameters": before.parameters, "calibration": before.calibration}
    assert after.model_copy(update=same) == before


def test_a_fitted_testbed_fits_as_it_is(hidden: Testbed, tmp_path: Path) -> None:
    once = Fit(hidden, Fraction(1)).run().to_json()
    (tmp_path / "once.json").write_text(once)
    assert Fit(load_testbed(str(tmp_path / "once.json")), Fraction(1)).run().to_json() == once


def test_values_have_the_digits_of_their_units(hidden: Testbed) -> None:
    after = Fit(hidden, Fraction(1)).run()
    for name, value in after.fitted().items():
        digits = 0 if after.parameters[name].unit == "ns" else 3
        assert value == round(value, digits)


def test_one_step_is_bounded(hidden: Testbed) -> None:
    far = hidden.with_values({"iaa.service_ns": 20000.0, "zstd.compress_ns": 500.0})
    fit = Fit(hidden, Fraction(1))
    moves = fit._moves(far, far.fitted(), fit.residuals(far.fitted()))
    assert max(map(abs, moves.values())) == calibration.LONGEST_STEP


def test_a_fit_that_moves_on_for_ever_is_given_up(hidden: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "MOST_STEPS", 1)
    with pytest.raises(ValueError, match="the fit moved on after 1 steps; start from values nearer"):
        Fit(hidden, Fraction(1)).run()


def test_without_published_cells_there_is_nothing_to_fit_on(hidden: Testbed) -> None:
    unpublished = hidden.model_copy(update={"published": ()})
    with pytest.raises(ValueError, match="has no published throughput_total_kBps of deflate-iaa"):
        Fit(unpublished, Fraction(1)).run()


@pytest.mark.slow
def test_the_command_writes_a_testbed_with_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    result = CliRunner().invoke(app, ["calibrate", "--scale", "1/32768", "--out", str(file)], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    assert "zswap.free_hold_unbatched_factor" in result.output and "throughput_total_kBps" in result.output
    error, written = result.output.splitlines()[-2:]
    assert error.startswith("largest error ") and written == f"written to {file}"
    assert [other.name for other in tmp_path.iterdir()] == ["mine.json"]
    fitted = load_testbed(str(file))
    assert fitted.calibration is not None
    assert (fitted.calibration.scale, len(fitted.calibration.cells)) == ("1/32768", 20)
    assert sorted(fitted.calibration.lengths_sha256) == ["deflate-iaa", "zstd"]
    assert file.read_text() == fitted.to_json()


def test_the_command_needs_somewhere_to_write(tmp_path: Path, formula_machine: None) -> None:
    args = ["calibrate", "--scale", "1/8192", "--out", str(tmp_path / "no" / "where.json")]
    result = CliRunner().invoke(app, args, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "make it first, or name another file" in result.output


@pytest.fixture
def fitted_at_1_64(tmp_path: Path) -> Path:
    file = tmp_path / "mine.json"
    file.write_text(load_testbed(TESTBED).to_json())
    return file


def test_a_coarser_fit_does_not_replace_a_finer_one_unless_it_is_told_where_to_go(
    fitted_at_1_64: Path, formula_machine: None
) -> None:
    before = fitted_at_1_64.read_text()
    coarser = ["calibrate", "--testbed", str(fitted_at_1_64), "--scale", "1/128"]
    result = CliRunner().invoke(app, coarser, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "was fitted at a scale of 1/64, and 1/128 is coarser; write elsewhere with --out FILE" in result.output
    assert fitted_at_1_64.read_text() == before
    assert CliRunner().invoke(app, [*coarser, "--out", str(fitted_at_1_64)]).exit_code == 0
    assert load_testbed(str(fitted_at_1_64)).calibration != load_testbed(TESTBED).calibration


def test_as_fine_a_fit_replaces_the_file_that_was_read(fitted_at_1_64: Path, formula_machine: None) -> None:
    result = CliRunner().invoke(app, ["calibrate", "--testbed", str(fitted_at_1_64), "--scale", "1/32"])
    assert result.exit_code == 0, result.output
    refitted = load_testbed(str(fitted_at_1_64)).calibration
    assert refitted is not None and refitted.scale == "1/32"
