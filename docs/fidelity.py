"""Draws the tables of docs/fidelity.md from the testbed file and from runs, so that they cannot say anything else.

`python docs/fidelity.py` rewrites them; a test fails when they are out of date. The runs take some minutes each, so
what they found is kept beside. These make them again:

    swaplab ablate --scale 1/1024 --json docs/attribution.json
    swaplab usemem --patches 8 --columns base,v8 --scale 1/256 --json docs/pinned.json
    swaplab usemem --patches 8 --columns base,v8 --scale 1/256 --unpinned --json docs/unpinned.json
    python docs/freeing.py
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from swaplab.experiments.attribution import Attribution, AttributionReport
from swaplab.experiments.usemem import UsememReport
from swaplab.model.columns import PATCH_TITLES
from swaplab.model.testbed import Testbed, load_testbed

PAGE = Path(__file__).with_name("fidelity.md")
RUN = Path(__file__).with_name("attribution.json")
PLACEMENTS = {name: Path(__file__).with_name(f"{name}.json") for name in ("pinned", "unpinned")}
FREEING = Path(__file__).with_name("freeing.json")
PLACEMENT_METRICS = {"throughput_total_kBps": "throughput, KB/s", "elapsed_s": "elapsed, s", "sys_s": "sys, s"}
TESTBED = "spr-2s-8iaa"


def parameters(testbed: Testbed) -> Iterator[str]:
    """Every number of the model, how firm it is, and why it is what it is."""
    yield "| parameter | value | firmness | source |"
    yield "|---|---|---|---|"
    named = testbed.parameters | {f"length factor, {name}": p for name, p in testbed.length_factors.items()}
    named |= {f"kernbench.{name}": parameter for name, parameter in testbed.kernbench or ()}
    for name, parameter in named.items():
        unit = "" if parameter.unit == "factor" else f" {parameter.unit}"
        yield f"| {name} | {parameter.value:,g}{unit} | {parameter.firmness} | {parameter.source} |"


def cells(testbed: Testbed) -> Iterator[str]:
    """Every cell that calibration looked at, published and modelled."""
    assert testbed.calibration is not None
    yield "| compressor | kernel | metric | published | modelled | error | |"
    yield "|---|---|---|---:|---:|---:|---|"
    for cell in testbed.calibration.cells:
        kind = "fitted" if cell.fitted else "follows from the length factor"
        figures = f"{_figure(cell.published)} | {_figure(cell.modelled)} | {cell.error:+.1%}"
        yield f"| {cell.compressor} | {cell.column} | {cell.metric} | {figures} | {kind} |"


def summary(testbed: Testbed) -> Iterator[str]:
    """How well the fit did, in a sentence."""
    assert testbed.calibration is not None
    fitted = [abs(cell.error) for cell in testbed.calibration.cells if cell.fitted]
    worst = testbed.calibration.worst()
    yield (
        f"At scale {testbed.calibration.scale}, seed {testbed.calibration.seed}: {len(fitted)} cells fitted with "
        f"{len(testbed.fitted())} parameters, mean error {sum(fitted) / len(fitted):.1%}, largest {worst.error:+.1%} "
        f"({worst.metric} of {worst.compressor} {worst.column})."
    )


def attribution(testbed: Testbed) -> Iterator[str]:
    """Which patch carries which share of the gain, for each number of processes that was run."""
    report = AttributionReport.model_validate_json(RUN.read_text())
    assert report.testbed == testbed.name
    patches = sorted({effect.patch for each in report.attributions for effect in each.carriers()})
    headings = [f"patch {patch}, {PATCH_TITLES[patch]}" for patch in patches]
    yield f"| processes | v8 over base | {' | '.join(headings)} |"
    yield "|---:|---:|" + "---:|" * len(patches)
    for each in report.attributions:
        yield f"| {each.processes} | {each.gain:+.0%} | {' | '.join(_shares(each, patches))} |"
    yield ""
    yield (
        f"Shares of the gain, in the series' order; {report.folio} folios, {report.compressor}, scale {report.scale}, "
        f"seed {report.seed}. An empty cell is no share."
    )


def _shares(attribution: Attribution, patches: list[int]) -> list[str]:
    carried = {effect.patch: f"{effect.share:.0%}" for effect in attribution.carriers()}
    return [carried.get(patch, "") for patch in patches]


def placement(testbed: Testbed) -> Iterator[str]:
    """What is left of the gain, and of patch 8's part in it, when processes are not pinned."""
    reports = {name: UsememReport.model_validate_json(file.read_text()) for name, file in PLACEMENTS.items()}
    columns = [column.name for column in reports["pinned"].columns]
    changes = [f"{name} over base" for name in columns[1:]]
    yield f"| | processes | {' | '.join([*columns, *changes])} |"
    yield "|---|---|" + "---:|" * (len(columns) + len(changes))
    for metric, heading in PLACEMENT_METRICS.items():
        for name, report in reports.items():
            assert (report.testbed, report.pinned) == (testbed.name, name == "pinned")
            base, *others = (column.metric(metric) for column in report.columns)
            cells = [*map(_figure, (base, *others)), *(f"{other / base - 1:+.1%}" for other in others)]
            yield f"| {heading} | {name} | {' | '.join(cells)} |"
    yield ""
    yield f"{report.folio} folios, deflate-iaa, scale {report.scale}, seed {report.seed}."


def freeing(testbed: Testbed) -> Iterator[str]:
    """What processes find when they free their pages, and how long that takes."""
    headings = ("processes in a cluster", "processes in a zspage", "entries per piece")
    yield f"| compressor | kernel | folio | {' | '.join(headings)} | writing, s | freeing, s | elapsed, s |"
    yield "|---|---|---|" + "---:|" * (len(headings) + 3)
    for run in json.loads(FREEING.read_text()):
        assert run["testbed"] == testbed.name
        counts = [f"{run[name]:.1f}" for name in ("owners_per_cluster", "owners_per_zspage", "entries_per_piece")]
        times = [f"{run[name]:.1f}" for name in ("write_s", "free_s", "elapsed_s")]
        yield f"| {run['compressor']} | {run['column']} | {run['folio']} | {' | '.join([*counts, *times])} |"


def drawn(text: str) -> str:
    """`text` with what is between each pair of marks written anew."""
    testbed = load_testbed(TESTBED)
    for part in (parameters, cells, summary, attribution, placement, freeing):
        begin, end = f"<!-- {part.__name__} -->", f"<!-- end of {part.__name__} -->"
        filled = "\n".join([begin, *part(testbed), end])
        text = re.sub(f"{begin}.*?{end}", filled.replace("\\", r"\\"), text, flags=re.DOTALL)
    return text


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10_000 else f"{value:,.2f}"


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
