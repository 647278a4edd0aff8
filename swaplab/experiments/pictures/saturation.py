"""Pictures of a sweep: throughput over one axis, a line per value of another, and where each line stops to rise.

Along an axis without numbers, such as kernels, there are bars instead of lines.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from swaplab.experiments.grid import Grid, Value
from swaplab.experiments.scales import in_a_title
from swaplab.experiments.sweep import Row
from swaplab.experiments.usemem import KIB_PER_GIB
from swaplab.model.columns import KERNELS

METRIC = "throughput_total_kBps"
SATURATED = 0.95
"""A line is saturated from where it has reached this part of its highest point."""
ORDER = ("procs", "batch", "devices", "wqs", "seed")
"""Axes of numbers, in the order in which they are taken for the horizontal one; only then come the others."""
NAMES = {"procs": "processes", "batch": "pages per chain", "devices": "devices", "wqs": "work queues per device"}
SINGULAR = {"procs": "process", "batch": "page per chain", "devices": "device", "wqs": "work queue per device"}
TOTAL = "total"
"""The label of a line that is the only one."""
MOST_PANELS = 12
PANEL_INCHES = (5.4, 4.0)
PER_ROW = 3
BAR_GROUP = 0.8
"""The part of an axis's step that a group of bars takes."""
COLOURS = ("#0072b2", "#d55e00", "#117733", "#882255", "#555555", "#6a3d9a", "#8c510a", "#c0407f")
"""Each can be told from white paper, which yellow and light orange cannot; after the last comes the first again."""
TICK_CHARS = 14
ROOM, ROOM_OVER_BARS = 1.06, 1.2
"""How much higher panels are than what they show; over bars, whose corners are full, there is a legend."""

Points = Sequence[tuple[float, float]]


@dataclass(slots=True)
class Line:
    """What one value of an axis gives, or several that give the same; the colour is the first one's in all panels.

    Points are at the values of the horizontal axis, or at their places on it where these are no numbers.
    """

    label: str
    colour: str
    points: Points


def saturation(line: Points) -> tuple[float, float] | None:
    """The first point at 95 % of the highest; None when that is the last one, so that the line may rise on."""
    if len(line) < 2:
        return None
    highest = max(y for _, y in line)
    point = next((x, y) for x, y in line if y >= SATURATED * highest)
    return None if point == line[-1] else point


def draw(grid: Grid, rows: Sequence[Row], file: Path) -> bool:
    """Write the picture as `file` ends (.png, .svg); False when no axis varies: there is nothing to compare."""
    varied = sorted(grid.varied(), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    if not varied:
        return False
    across, lines_of, panels_of = varied[0], next(iter(varied[1:]), None), varied[2:]
    good = [row for row in rows if row["error"] is None]
    panels = list(dict.fromkeys(tuple(row[name] for name in panels_of) for row in good))[:MOST_PANELS]
    per_row = 2 if len(panels) == 4 else max(1, min(len(panels), PER_ROW))
    tall = max(1, -(-len(panels) // per_row))
    figure = Figure(figsize=(PANEL_INCHES[0] * per_row, PANEL_INCHES[1] * tall + 0.9), layout="constrained", dpi=120)
    first: Axes | None = None
    marked = False
    for index, values in enumerate(panels):
        axes = figure.add_subplot(tall, per_row, index + 1, sharex=first, sharey=first)
        first = first or axes
        shown = [row for row in good if tuple(row[name] for name in panels_of) == values]
        marked |= _panel(axes, _lines(grid, shown, across, lines_of), across, dict(grid.axes)[across])
        axes.set_ylim(0, (ROOM if across in ORDER else ROOM_OVER_BARS) * max(row[METRIC] for row in good) / KIB_PER_GIB)
        axes.set_title(", ".join(map(_called, panels_of, values)), fontsize=10, loc="left")
    finding = _finding(good, grid.varied())
    figure.suptitle(textwrap.fill(finding, 42 * per_row), fontsize=12, fontweight="bold")
    marks = f"; diamonds: more {NAMES.get(across, across)} help no further" if marked else ""
    common = ", ".join(_called(name, values[0]) for name, values in grid.axes if len(values) == 1)
    scale = in_a_title("usemem", grid.folios, grid.scale)
    footer = f"usemem, testbed {grid.testbed.name}, {scale}{', ' * bool(common)}{common}{marks}"
    figure.supxlabel(textwrap.fill(footer, 85 * per_row), fontsize=8)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    return True


def _lines(grid: Grid, rows: Iterable[Row], across: str, lines_of: str | None) -> list[Line]:
    """A line per value. Those that coincide are one and have both names: else the last would hide the others."""
    values: Sequence[Value] = dict(grid.axes)[lines_of] if lines_of else (TOTAL,)
    points: dict[Value, list[tuple[float, float]]] = {}
    for row in rows:
        place = row[across] if across in ORDER else dict(grid.axes)[across].index(row[across])
        points.setdefault(row[lines_of] if lines_of else TOTAL, []).append((place, row[METRIC] / KIB_PER_GIB))
    lines: list[Line] = []
    for value in filter(points.__contains__, values):
        own, label = sorted(points[value]), _called(lines_of, value) if lines_of else TOTAL
        same = next((line for line in lines if line.points == own), None)
        if same is None:
            lines.append(Line(label, COLOURS[values.index(value) % len(COLOURS)], own))
        else:
            same.label += f" = {label}"
    return lines


def _panel(axes: Axes, lines: Sequence[Line], across: str, values: Sequence[Value]) -> bool:
    """Draw one panel; whether a line of it is marked as saturated."""
    marked = False
    if across in ORDER:
        marked = _draw_lines(axes, lines, sorted(map(float, values)))
    else:
        _draw_bars(axes, lines, [_called(across, value) for value in values])
    axes.set_xlabel(NAMES.get(across, across))
    axes.set_ylabel("total throughput, GiB/s")
    axes.grid(axis="y", linewidth=0.4, alpha=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if across in ORDER or len(lines) > 1:
        axes.legend(fontsize=8, frameon=False)
    return marked


def _draw_lines(axes: Axes, lines: Sequence[Line], ticks: Sequence[float]) -> bool:
    """Lines over numbers, on a logarithmic axis when these are far apart; whether one is marked as saturated.

    `ticks` are all values of the axis, also those that failed in this panel: panels have one scale.
    """
    marked = False
    for line in lines:
        axes.plot(*zip(*line.points, strict=True), marker="o", markersize=4, color=line.colour, label=line.label)
        point = saturation(line.points)
        if point is not None:
            marked = True
            axes.plot(*point, "D", markersize=10, fillstyle="none", color=line.colour)
    if marked:
        axes.plot([], [], "D", markersize=9, fillstyle="none", color="#555", label="saturated (95 %)")
    if len(ticks) > 2 and ticks[-1] >= 8 * ticks[0] > 0:
        axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.minorticks_off()
    return marked


def _draw_bars(axes: Axes, lines: Sequence[Line], places: Sequence[str]) -> None:
    """A group of bars per place, each with its height written above it."""
    width = BAR_GROUP / len(lines)
    for number, line in enumerate(lines):
        beside = (number - (len(lines) - 1) / 2) * width
        middles, heights = zip(*((x + beside, y) for x, y in line.points), strict=True)
        bars = axes.bar(middles, heights, 0.94 * width, color=line.colour, label=line.label)
        axes.bar_label(bars, fmt="%.1f", fontsize=8, padding=1)
    axes.set_xticks(range(len(places)), [textwrap.fill(place, TICK_CHARS) for place in places])


def _finding(rows: Sequence[Row], varied: Iterable[str]) -> str:
    """The fastest of all machines."""
    if not rows:
        return "No point could be run"
    best = max(rows, key=lambda row: float(row[METRIC]))
    machine = ", ".join(_called(name, best[name]) for name in varied)
    return f"{best[METRIC] / KIB_PER_GIB:.1f} GiB/s at most, with {machine}"


def _called(name: str, value: Value) -> str:
    """A value with its axis in words: 4 devices, 1 process, seed 2, base."""
    if name in NAMES:
        return f"{value} {SINGULAR[name] if value == 1 else NAMES[name]}"
    if name == "kernel" and value not in KERNELS:
        return f"patch {value}" if str(value).isdecimal() else f"patches {value}"
    return f"{name} {value}" if name == "seed" else f"{value} folios" if name == "folio" else str(value)
