"""Pictures of a sweep: throughput over one axis, a line per value of another, and where each line stops to rise."""

import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from swaplab.experiments.grid import Grid, Value
from swaplab.experiments.sweep import Row

METRIC = "throughput_total_kBps"
GIB_PER_S = 1 << 20
"""KiB/s in a GiB/s."""
SATURATED = 0.95
"""A line is saturated from where it has reached this part of its highest point."""
ORDER = ("procs", "batch", "devices", "wqs", "seed")
"""Axes of numbers, in the order in which they are taken for the horizontal one."""
NAMES = {"procs": "processes", "batch": "pages per chain", "devices": "devices", "wqs": "work queues per device"}
SINGULAR = {"procs": "process", "batch": "page per chain", "devices": "device", "wqs": "work queue per device"}
MOST_PANELS = 12
PANEL_INCHES = (5.4, 4.0)
PER_ROW = 3

Line = list[tuple[float, float]]


def saturation(line: Line) -> tuple[float, float] | None:
    """The first point at 95 % of the highest; None when that is the last one, so that the line may rise on."""
    if len(line) < 2:
        return None
    highest = max(y for _, y in line)
    point = next((x, y) for x, y in line if y >= SATURATED * highest)
    return None if point == line[-1] else point


def draw(grid: Grid, rows: Sequence[Row], file: Path) -> bool:
    """Write the picture as `file` ends (.png, .svg); False when no axis of numbers varies: there is nothing to draw."""
    varied = grid.varied()
    across = next((name for name in ORDER if name in varied), None)
    if across is None:
        return False
    others = [name for name in varied if name != across]
    lines_of = next((name for name in ORDER if name in others), others[0] if others else None)
    panels_of = [name for name in others if name != lines_of]
    good = [row for row in rows if row["error"] is None]
    panels = list(dict.fromkeys(tuple(row[name] for name in panels_of) for row in good))[:MOST_PANELS]
    per_row = max(1, min(len(panels), PER_ROW))
    tall = max(1, -(-len(panels) // per_row))
    figure = Figure(figsize=(PANEL_INCHES[0] * per_row, PANEL_INCHES[1] * tall + 0.9), layout="constrained", dpi=120)
    first: Axes | None = None
    for index, values in enumerate(panels):
        axes = figure.add_subplot(tall, per_row, index + 1, sharey=first)
        first = first or axes
        shown = [row for row in good if tuple(row[name] for name in panels_of) == values]
        _panel(axes, _lines(shown, across, lines_of), across)
        axes.set_ylim(0, 1.06 * max(row[METRIC] for row in good) / GIB_PER_S)
        axes.set_title(", ".join(map(_called, panels_of, values)), fontsize=10, loc="left")
    figure.suptitle(textwrap.fill(_finding(good, across, varied), 42 * per_row), fontsize=12, fontweight="bold")
    common = ", ".join(_called(name, values[0]) for name, values in grid.axes if len(values) == 1)
    figure.supxlabel(f"usemem, testbed {grid.testbed}, scale {grid.scale}{', ' * bool(common)}{common}", fontsize=8)
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    return True


def _lines(rows: Iterable[Row], across: str, lines_of: str | None) -> dict[str, Line]:
    lines: dict[str, Line] = {}
    for row in rows:
        label = _called(lines_of, row[lines_of]) if lines_of else "total"
        lines.setdefault(label, []).append((row[across], row[METRIC] / GIB_PER_S))
    return {label: sorted(line) for label, line in lines.items()}


def _panel(axes: Axes, lines: dict[str, Line], across: str) -> None:
    for label, line in lines.items():
        (drawn,) = axes.plot(*zip(*line, strict=True), marker="o", markersize=4, label=label)
        point = saturation(line)
        if point is not None:
            axes.plot(*point, marker="D", markersize=10, fillstyle="none", color=drawn.get_color())
    axes.plot([], [], marker="D", markersize=9, fillstyle="none", linestyle="", color="#555", label="saturated (95 %)")
    ticks = sorted({x for line in lines.values() for x, _ in line})
    if len(ticks) > 2 and ticks[-1] >= 8 * ticks[0] > 0:
        axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], minor=False)
    axes.minorticks_off()
    axes.set_xlabel(NAMES.get(across, across))
    axes.set_ylabel("total throughput, GiB/s")
    axes.grid(axis="y", linewidth=0.4, alpha=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)


def _finding(rows: Sequence[Row], across: str, varied: Iterable[str]) -> str:
    """The fastest of all machines, and what the marks mean."""
    if not rows:
        return "No point could be run"
    best = max(rows, key=lambda row: float(row[METRIC]))
    machine = ", ".join(_called(name, best[name]) for name in varied)
    marks = f"diamonds: more {NAMES.get(across, across)} help no further"
    return f"{best[METRIC] / GIB_PER_S:.1f} GiB/s at most, with {machine}; {marks}"


def _called(name: str, value: Value) -> str:
    """A value with its axis in words: 4 devices, 1 process, seed 2, base."""
    if name in NAMES:
        return f"{value} {SINGULAR[name] if value == 1 else NAMES[name]}"
    return f"{name} {value}" if name == "seed" else f"{value} folios" if name == "folio" else str(value)
