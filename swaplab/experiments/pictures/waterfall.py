"""The waterfall of an attribution: from base to v8 in the order of the series, one panel per number of processes.

One process has a tenth of what thirty have, so heights are relative to each panel's base: all panels have one scale.
"""

import textwrap
from fractions import Fraction
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from swaplab.experiments.attribution import NOTHING, Attribution, AttributionReport, PatchEffect, processes
from swaplab.experiments.scales import in_a_title
from swaplab.experiments.usemem import KIB_PER_GIB
from swaplab.model.columns import PATCH_TITLES

WHOLE, GAIN, LOSS = "#4d5b6b", "#2f8f5b", "#c0504d"
PANEL_INCHES = (6.0, 4.2)
PER_ROW = 2
BAR = 0.62
ROOM = 1.2
"""How much higher panels are than what they show; the texts above the bars are in it."""
TITLE_CHARS_PER_PANEL = 45
FOOTER_CHARS_PER_PANEL = 85
"""Lines that are as wide as a panel, in the sizes of their letters."""


def draw(report: AttributionReport, file: Path) -> None:
    """Write the picture in the format that `file` ends in (.png, .svg); ValueError for one that cannot be drawn."""
    panels = len(report.attributions)
    per_row = min(panels, PER_ROW)
    rows = -(-panels // per_row)
    figure = Figure(figsize=(PANEL_INCHES[0] * per_row, PANEL_INCHES[1] * rows + 1.1), layout="constrained", dpi=120)
    shown = [
        effect.patch
        for effect in report.attributions[0].patches
        if any(abs(other.patches[effect.patch - 1].share) >= NOTHING for other in report.attributions)
    ]
    highest = max(_highest(attribution) for attribution in report.attributions)
    for index, attribution in enumerate(report.attributions):
        axes = figure.add_subplot(rows, per_row, index + 1)
        _panel(axes, attribution, shown)
        axes.set_ylim(0, ROOM * highest)
    title = textwrap.fill(report.finding(), width=TITLE_CHARS_PER_PANEL * per_row)
    figure.suptitle(title, fontsize=14, fontweight="bold")
    scale = in_a_title("usemem", [report.folio], Fraction(report.scale))
    footer = (
        f"usemem, {report.folio} folios, {report.compressor}, testbed {report.testbed}, {scale}; "
        "patches applied in the order of the series, those without effect left out"
    )
    figure.supxlabel(textwrap.fill(footer, width=FOOTER_CHARS_PER_PANEL * per_row), fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def _highest(attribution: Attribution) -> float:
    """What the panel must be high enough for, relative to base."""
    reached = [attribution.base_kbps, attribution.v8_kbps, *(each.up_to_kbps for each in attribution.patches)]
    return max(reached) / attribution.base_kbps


def _panel(axes: Axes, attribution: Attribution, shown: list[int]) -> None:
    base_kbps, level = attribution.base_kbps, 1.0
    labels = ["base"]
    _end(axes, 0, base_kbps, level)
    for place, patch in enumerate(shown, start=1):
        effect = attribution.patches[patch - 1]
        level = _step(axes, place, level, effect, effect.up_to_kbps / base_kbps)
        labels.append(f"+ {patch}\n" + textwrap.fill(PATCH_TITLES[patch], width=11))
    last = len(shown) + 1
    _connect(axes, last, level)
    _end(axes, last, attribution.v8_kbps, attribution.v8_kbps / base_kbps)
    axes.set_xticks(range(last + 1), [*labels, "v8"], fontsize=9)
    axes.set_ylabel("total throughput, base = 1")
    axes.set_title(
        f"{processes(attribution.processes)}: v8 is {attribution.gain:+.0%} over base", fontsize=11, loc="left"
    )
    axes.spines[["top", "right"]].set_visible(False)


def _end(axes: Axes, place: int, kbps: float, level: float) -> None:
    """A bar from zero, base or v8, with its throughput."""
    axes.bar(place, level, color=WHOLE, width=BAR)
    _write(axes, place, level, f"{kbps / KIB_PER_GIB:.2f}\nGiB/s")


def _step(axes: Axes, place: int, before: float, effect: PatchEffect, level: float) -> float:
    """A floating bar from the level before this patch to the one with it; the level from here on."""
    _connect(axes, place, before)
    if abs(effect.share) < NOTHING:
        axes.plot([place - BAR / 2, place + BAR / 2], [before] * 2, color=WHOLE, linewidth=0.8)
        _write(axes, place, before, "no effect")
        return before
    axes.bar(place, level - before, bottom=before, color=GAIN if level >= before else LOSS, width=BAR)
    _write(axes, place, max(level, before), f"{effect.share:.0%}\nof the gain")
    return level


def _connect(axes: Axes, place: int, level: float) -> None:
    """A thin line from the bar before to this one."""
    axes.plot([place - 1 + BAR / 2, place - BAR / 2], [level] * 2, color=WHOLE, linewidth=0.8)


def _write(axes: Axes, place: int, level: float, text: str) -> None:
    """Text just above a bar."""
    axes.annotate(text, (place, level), (0, 3), textcoords="offset points", ha="center", fontsize=9)
