"""The grid of a sweep: axes by name, and every point of their product as a request for one column."""

import itertools
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import zswap
from iaa_emulator.hardware.config import MAX_WORK_QUEUES
from swaplab.experiments.tables import Request, check_batch
from swaplab.model.asked import MOST_SEED, quoted, shortened, whole_number
from swaplab.model.columns import KERNELS, Column, patches_column
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.model.machine import MOST_DEVICES
from swaplab.model.testbed import COMPRESSORS, MOST_PROCESSES, Testbed

Value = int | str
Point = tuple[tuple[str, Value], ...]
"""One value per axis, in the order of the axes."""


class GridError(ValueError):
    """A grid cannot be made of that; the message says why and what can."""


def _up_to(most: int, least: int = 1) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not least <= (number := whole_number(text)) <= most:
            raise ValueError
        return number

    return parse


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError
        return text

    return parse


def _kernel_name(text: str) -> str:
    if text not in KERNELS and not all(part.isascii() and part.isdecimal() for part in text.split("+")):
        raise ValueError
    return text


AXES: Mapping[str, tuple[Callable[[str], Value], str]] = {
    "procs": (_up_to(MOST_PROCESSES), f"processes, up to {MOST_PROCESSES:,}, as 1,8,30"),
    "devices": (_up_to(MOST_DEVICES), f"accelerators of the whole machine, up to {MOST_DEVICES}, as 2,4,8"),
    "wqs": (_up_to(MAX_WORK_QUEUES), f"work queues per device, up to {MAX_WORK_QUEUES}, as 1,2"),
    "batch": (_up_to(zswap.LONGEST_CHAIN), f"pages per chain, up to {zswap.LONGEST_CHAIN}, as 1,2,4,8"),
    "seed": (_up_to(MOST_SEED, least=0), "numbers, as 0,1,2"),
    "folio": (_one_of(*FOLIO_PAGES), "folio sizes: " + ",".join(FOLIO_PAGES)),
    "compressor": (_one_of(*COMPRESSORS), "compressors: " + ",".join(COMPRESSORS)),
    "kernel": (_kernel_name, "kernels: base, v8, v9, v14, or patches joined with +, as base,8+9,v8"),
    "sync_mode": (_one_of("sync", "async", "async_irq"), "modes: sync,async,async_irq"),
}
"""What may be swept: how a value is read, and what to write."""

FOLIO = "64K"
"""Where folio is no axis."""

MOST_POINTS = 100_000

PLURAL = {"processes": "procs", "columns": "kernel", "column": "kernel", "batches": "batch"}
"""What people write instead."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Axes in the order they were given, and what all points have in common."""

    axes: tuple[tuple[str, tuple[Value, ...]], ...]
    testbed: Testbed
    scale: Fraction

    def points(self) -> list[Point]:
        """Every combination that can be; the last axis changes fastest."""
        return [point for point in self._combinations() if _impossible(point) is None]

    def left_out(self) -> dict[Point, str]:
        """The other combinations, in the same order, and why each cannot be."""
        return {point: why for point in self._combinations() if (why := _impossible(point)) is not None}

    def _combinations(self) -> list[Point]:
        names = [name for name, _ in self.axes]
        return [tuple(zip(names, values, strict=True)) for values in itertools.product(*(v for _, v in self.axes))]

    def request(self, point: Point) -> Request:
        """The column that a point asks for."""
        values = dict(point)
        return Request(
            self.testbed,
            kernel(str(values.get("kernel", "v8"))),
            str(values.get("compressor", "deflate-iaa")),
            str(values.get("folio", FOLIO)),
            self.scale,
            seed=int(values.get("seed", 0)),
            processes=_optional(values, "procs"),
            devices=int(values.get("devices", 8)),
            wqs=_optional(values, "wqs"),
            batch=int(values.get("batch", 8)),
            sync_mode=str(values.get("sync_mode", "async")),
        )

    @property
    def folios(self) -> list[str]:
        """The folio sizes of all points."""
        return list(dict.fromkeys(str(dict(point).get("folio", FOLIO)) for point in self.points()))

    def varied(self) -> list[str]:
        """The axes along which points differ."""
        found = [dict(point) for point in self.points()]
        return [name for name, _ in self.axes if len({point[name] for point in found}) > 1]


def parse_grid(parts: Iterable[str], testbed: Testbed, scale: Fraction) -> Grid:
    """A grid from parts such as "devices=1,2,4"; GridError says what is wrong with one and what to write instead.

    Points that cannot be are left out, unless there are no others.
    """
    axes: dict[str, tuple[Value, ...]] = {}
    for part in parts:
        name, equals, listed = part.partition("=")
        name = PLURAL.get(name, name)
        if name not in AXES or not equals:
            raise GridError(f"{quoted(part)} is no axis; write one of {', '.join(AXES)} as devices=1,2,4")
        if name in axes:
            raise GridError(f"{name} is given twice; write all its values in one list")
        axes[name] = _values(name, listed)
    if not axes:
        raise GridError("a sweep needs an axis, as devices=1,2,4")
    grid = Grid(tuple(axes.items()), testbed, scale)
    if (points := math.prod(len(values) for values in axes.values())) > MOST_POINTS:
        raise GridError(f"that are {points:,} points, and a sweep has at most {MOST_POINTS:,}; sweep fewer values")
    for named in axes.get("kernel", ()):
        kernel(str(named))  # ColumnError for patches that are none
    if not grid.points():
        raise GridError(next(iter(grid.left_out().values())))
    return grid


def _impossible(point: Point) -> str | None:
    """Why no machine can be of this kind."""
    values = dict(point)
    try:
        if "batch" in values:
            check_batch(int(values["batch"]), str(values.get("folio", FOLIO)))
    except ValueError as error:
        return str(error)
    return None


def key(point: Point) -> str:
    """A point's name in files: the same whatever the order of the axes was."""
    return json.dumps(dict(sorted(point)))


def kernel(name: str) -> Column:
    """A kernel by its name, or the column of patches such as "8+9"."""
    return KERNELS.get(name) or patches_column(name.replace("+", ","))


def _values(name: str, listed: str) -> tuple[Value, ...]:
    parse, wanted = AXES[name]
    try:
        return tuple(dict.fromkeys(parse(text.strip()) for text in listed.split(",")))
    except ValueError:
        raise GridError(f"{shortened(f'{name}={listed}')} cannot be read; write {wanted}") from None


def _optional(values: Mapping[str, Value], name: str) -> int | None:
    return int(values[name]) if name in values else None
