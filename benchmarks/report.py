"""The rows as a table, as JSON and as a picture."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .rows import Row


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _wanted(row: Row, wanted: float | None) -> str:
    """A target or an aim: which way is good, and the unit where it is for the value and not for the fraction."""
    if wanted is None:
        return ""
    sign, unit = (">=" if row.better == "higher" else "<="), ("" if row.judged == "fraction" else f" {row.unit}")
    return f"{sign} {_number(wanted)}{unit}"


def table(rows: Sequence[Row]) -> str:
    """One line per row, with its verdict where it has a target."""
    head = ("", "value", "unit", "limit", "fraction", "spread", "target", "aim", "verdict")
    cells = [head]
    for row in rows:
        spread = " .. ".join(map(_number, row.spread))
        numbers = (_number(row.limit), _number(row.fraction), spread, _wanted(row, row.target), _wanted(row, row.aim))
        cells.append((row.name, _number(row.value), row.unit, *numbers, row.verdict))
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = []
    for line in cells:
        first, *others = (
            cell.ljust(width) if column in (0, 2, 8) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        lines.append("  ".join((first, *others)).rstrip())
    return "\n".join(lines)


def write_json(rows: Sequence[Row], path: Path) -> None:
    """A list of objects, one per row."""
    path.write_text(json.dumps([asdict(row) | {"verdict": row.verdict} for row in rows], indent=2) + "\n")


def plot(rows: Sequence[Row], path: Path) -> None:
    """Bars of what has a target, in units of that target, so that 1 is reached by all that are good enough."""
    longest = 2.5
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.patches import Patch

    shown = [row for row in rows if row.target is not None][::-1]
    colours = {"aim": "#2a7f4f", "target": "#7fae3f", "miss": "#c8553d"}
    figure, axes = pyplot.subplots(figsize=(10, 0.5 * len(shown) + 1.4), layout="constrained")
    for place, row in enumerate(shown):
        score, aim = _score(row, _judged(row)), None if row.aim is None else _score(row, row.aim)
        axes.barh(place, score, color=colours[row.verdict], height=0.6)
        if score > longest:
            axes.annotate(">", (longest, place), ha="right", va="center", color="white", weight="bold")
        if row.spread:
            ends = sorted(_score(row, end) for end in row.spread)
            axes.plot(ends, [place, place], color="black", linewidth=1.2)
        if aim is not None and aim < longest:
            axes.plot([aim, aim], [place - 0.38, place + 0.38], color="#2a7f4f", linewidth=2)
        text = f"{_number(_judged(row))}, target {_wanted(row, row.target)}"
        axes.annotate(text, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    axes.axvline(1, color="black", linewidth=1, linestyle="--")
    axes.set_yticks(range(len(shown)), [row.name for row in shown])
    axes.set_xlim(0, longest)
    axes.set_title("The figures that have a target", fontsize=11)
    axes.set_xlabel("in units of the target: longer is better, 1 is reached; line: spread; green mark: aim")
    legend = [Patch(color=colour, label=verdict) for verdict, colour in colours.items()]
    axes.legend(handles=legend, loc="upper right", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _judged(row: Row) -> float:
    judged = row.fraction if row.judged == "fraction" else row.value
    assert judged is not None
    return judged


def _score(row: Row, judged: float) -> float:
    assert row.target is not None
    return judged / row.target if row.better == "higher" else row.target / max(judged, 1e-9)
