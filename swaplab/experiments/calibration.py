"""Calibration: refit the fitted parameters of a testbed to its calibration cells, and nothing else.

Least squares of relative errors by damped Gauss-Newton in logarithms. The errors come from the simulation, the slopes
from the closed form: it is off by some percent, but smooth; the simulation jumps whenever processes change places.
Steps are taken as long as they help, so fitting a fitted testbed changes nothing.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np

from swaplab.experiments.tables import Request, published
from swaplab.experiments.usemem import UsememColumn, corpus_digest, run_all
from swaplab.model import closed_form
from swaplab.model.closed_form import estimate
from swaplab.model.columns import BASE, V8
from swaplab.model.testbed import COMPRESSORS, Calibration, Residual, Testbed

FOLIO: Final = "64K"
FITTED_METRICS = ("throughput_total_kBps", "elapsed_s", "sys_s")
PREDICTED_METRICS = ("zswpout", "memcg_high")
"""These follow from the declared length factors, and are shown beside the fitted ones."""

DIFFERENCE = 1e-4
"""Relative change of a parameter that its slopes are taken from."""
DAMPING = 0.05
"""Slopes below this cannot drive a parameter far away."""
LONGEST_STEP = 0.25
"""Bound of one step, in logarithms: a parameter changes by at most 28 %."""
MOST_STEPS = 12
WORTH_WHILE = 0.02
"""A step must lower the sum of squares by this part of it."""
STEP_LENGTHS = (1.0, 0.5)
"""Parts of the full step that are tried before it is given up."""

SHARING = {"base": 28, "v8": 8}
"""Processes on the busiest device: cpus 0 to 27 have one of their own in the base kernel, all share four in v8."""

Values = dict[str, float]
Vector = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(slots=True)
class Fit:
    """A fit under way: runs columns and remembers what they gave, so that no column runs twice."""

    testbed: Testbed
    scale: Fraction
    seed: int = 0
    workers: int = 1
    ran: Callable[[], object] = bool
    _known: dict[Request, UsememColumn] = field(default_factory=dict)

    def run(self) -> Testbed:
        """The testbed with fitted parameters and the errors that are left; ValueError if it does not come to rest."""
        testbed = self.testbed
        values = testbed.fitted()
        residuals = self.residuals(values)
        for _ in range(MOST_STEPS):
            better = self._better(testbed, values, residuals)
            if better is None:
                return testbed.with_values(values).model_copy(update={"calibration": self._calibration(residuals)})
            values, residuals = better
        raise ValueError(f"the fit moved on after {MOST_STEPS} steps; start from values nearer to the published cells")

    def residuals(self, values: Values) -> list[Residual]:
        """Every cell of the four columns, simulated with these values."""
        requests = self._requests(values)
        missing = [request for request in requests if request not in self._known]
        self._known |= dict(zip(missing, run_all(missing, self.workers, self.ran), strict=True))
        return [cell for request in requests for cell in self._cells(request)]

    def _better(
        self, testbed: Testbed, values: Values, residuals: Sequence[Residual]
    ) -> tuple[Values, list[Residual]] | None:
        """Values that miss by less, and by how much; None when neither the step nor its half is worth while."""
        moves = self._moves(testbed, values, residuals)
        for length in STEP_LENGTHS:
            trial = {
                name: testbed.parameters[name].rounded(value * math.exp(length * moves[name]))
                for name, value in values.items()
            }
            errors = self.residuals(trial)
            if squares(errors) < squares(residuals) * (1 - WORTH_WHILE):
                return trial, errors
        return None

    def _moves(self, testbed: Testbed, values: Values, residuals: Sequence[Residual]) -> Values:
        """The damped Gauss-Newton step from `values`, bounded, in logarithms."""
        missed = [-math.log(cell.modelled / cell.published) for cell in residuals if cell.fitted]
        here = self._closed_form(testbed, values)
        slopes = [
            (self._closed_form(testbed, values | {name: value * (1 + DIFFERENCE)}) - here) / math.log1p(DIFFERENCE)
            for name, value in values.items()
        ]
        system = np.vstack([np.column_stack(slopes), DAMPING * np.eye(len(values))])
        moves, *_ = np.linalg.lstsq(system, np.array([*missed, *(0.0 for _ in values)]), rcond=None)
        return dict(zip(values, np.clip(moves, -LONGEST_STEP, LONGEST_STEP).tolist(), strict=True))

    def _closed_form(self, testbed: Testbed, values: Values) -> Vector:
        """Logarithms of the fitted cells, in the order of the residuals."""
        estimates = [
            estimate(testbed.with_values(values), self._as_formula(testbed, request))
            for request in self._requests(testbed.fitted())
        ]
        figures = [(e.throughput_total_kbps, e.elapsed_s, e.sys_s) for e in estimates]
        return np.array([math.log(figure) for column in figures for figure in column])

    def _as_formula(self, testbed: Testbed, request: Request) -> closed_form.Case:
        """A column as the closed form sees it; how much the pool grows per page follows from the simulated zswpout."""
        work = testbed.usemem
        over = work.processes * work.pages_per_process - work.memory_high_pages
        batching = 14 in request.column.patches
        return closed_form.Case(
            request.compressor,
            pool_pages_per_page=1 - over / self._known[request].zswpout,
            sharing=SHARING[request.column.name] if request.compressor == "deflate-iaa" else 0,
            batching=batching,
            unbatched_store=not batching,
        )

    def _requests(self, values: Values) -> list[Request]:
        return [
            Request(self.testbed, column, compressor, FOLIO, self.scale, self.seed, values=tuple(values.items()))
            for compressor in COMPRESSORS
            for column in (BASE, V8)
        ]

    def _cells(self, request: Request) -> list[Residual]:
        table = published(self.testbed, FOLIO, request.compressor)
        cells = []
        for metric in (*FITTED_METRICS, *PREDICTED_METRICS):
            cell = table.cell(request.column.name, metric) if table else None
            if cell is None:
                of_what = f"published {metric} of {request.compressor}"
                raise ValueError(f"{self.testbed.name} has no {of_what} to be fitted on")
            modelled = round(self._known[request].metric(metric), 2)
            cells.append(
                Residual(
                    compressor=request.compressor,
                    column=request.column.name,
                    metric=metric,
                    published=cell.value,
                    modelled=modelled,
                    error=round(modelled / cell.value - 1, 4),
                    fitted=metric in FITTED_METRICS,
                )
            )
        return cells

    def _calibration(self, residuals: Sequence[Residual]) -> Calibration:
        requests = {request.compressor: request for request in self._requests({})}
        return Calibration(
            workload="usemem",
            folio=FOLIO,
            scale=str(self.scale),
            seed=self.seed,
            lengths_sha256={name: corpus_digest(request) for name, request in requests.items()},
            cells=tuple(residuals),
        )


def squares(residuals: Iterable[Residual]) -> float:
    """The sum that the fit makes small: squares of the logarithms of modelled / published."""
    return math.fsum(math.log(cell.modelled / cell.published) ** 2 for cell in residuals if cell.fitted)
