"""The numbers of a model, and what each may be: its unit and its bounds, in one table per part of a testbed file.

A testbed checks its numbers against these tables when it is read: beyond the bounds a simulation does not merely become
implausible, it divides by zero, runs out of memory, or never ends.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

from iaa_emulator.hardware.config import MAX_ENGINES
from swaplab.model.folio_sizes import FOLIO_PAGES

Firmness = Literal["input", "fitted", "fixed"]


def _says_something(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty; say what it is, or where it is from")
    return text


Text = Annotated[str, AfterValidator(_says_something)]
"""What is there to be read."""


class Strict(BaseModel):
    """Base of the parts of a testbed file: nothing unknown in it, and a number is no text and no `true`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False, strict=True)


class Parameter(Strict):
    """One number. `value` is in `unit`, which the parameter's name repeats where it has one ("iaa.submit_ns")."""

    value: float
    unit: str
    firmness: Firmness
    source: Text

    def rounded(self, value: float) -> float:
        """`value` to the digits that this unit is written with: whole nanoseconds, three decimals of a factor."""
        return float(round(value)) if self.unit == "ns" else round(value, 3)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a number may be: from `least` to `most`, and `whole` where a fraction of one means nothing.

    A `fittable` one may be declared fitted; a fit moves it by factors, and so never away from 0.
    """

    unit: str
    least: float
    most: float
    whole: bool = False
    fittable: bool = False

    def fault(self, parameter: Parameter) -> str | None:
        """What is wrong with `parameter`, with what it may be; None if nothing is."""
        value = parameter.value
        if parameter.unit != self.unit:
            return f"is in {self.unit}, not in {parameter.unit}"
        if not self.least <= value <= self.most or (self.whole and not value.is_integer()):
            number = "a whole number" if self.whole else "a number"
            return f"is {value:,.12g}, but must be {number} from {self.least:,g} to {self.most:,.12g} ({self.unit})"
        if parameter.firmness == "fitted" and not self.fittable:
            return "is declared fitted, but no fit moves it; declare it input or fixed"
        if parameter.firmness == "fitted" and not value:
            return "is fitted and 0, and a fit moves by factors; begin with something above 0, or declare it fixed"
        return None


_COST = Bounds("ns", 0, 1_000_000_000, whole=True, fittable=True)
_SERVICE = Bounds("ns", 1, 1_000_000_000, whole=True, fittable=True)
_FACTOR = Bounds("factor", 0.01, 100, fittable=True)

PARAMETERS = {
    "iaa.submit_ns": _COST,
    "iaa.pipeline_ns": _COST,
    "iaa.service_ns": _SERVICE,
    "iaa.reap_ns": _COST,
    "iaa.compress_engines": Bounds("engines", 1, MAX_ENGINES, whole=True),
    "zswap.lru_hold_ns": _COST,
    "zswap.free_hold_ns": _COST,
    "zswap.free_hold_zstd_factor": _FACTOR,
    "zswap.free_hold_unbatched_factor": _FACTOR,
    "zswap.store_page_ns": _COST,
    "zswap.free_page_ns": _COST,
    "zstd.compress_ns": _COST,
    "zstd.decompress_ns": _COST,
    "deflate.decompress_ns": _COST,
    "mm.touch_ns": _COST,
    "mm.fault_ns": _COST,
    "mm.reclaim_ns": _COST,
    "mm.free_resident_ns": _COST,
    "mm.jitter": Bounds("factor", 0, 0.99),
}
"""What the model cannot do without."""
PER_FOLIO = ("mm.fault_ns", "mm.reclaim_ns", "mm.touch_ns")
"""Of these there may be others for a folio size, as mm.fault_ns.2M."""

LENGTH_FACTORS = {"deflate-iaa": Bounds("factor", 1, 10), "zstd": Bounds("factor", 1, 10)}
"""Padding only adds."""

KERNBENCH = {
    "threads": Bounds("threads", 1, 1024, whole=True),
    "cpus": Bounds("cpus", 1, 1024, whole=True),
    "memory_max_pages": Bounds("pages", 1, 1 << 40, whole=True),
    "footprint": Bounds("of memory.max", 1, 2),
    "file_share": Bounds("of new order-0 pages", 0, 1),
    "order0_ns": _COST,
    "other_sys_s": Bounds("s", 0, 1_000_000, fittable=True),
    "swapin_wait_ns": _COST,
}
"""The kernel build's. Above a footprint of 2 what is in swap fills memory.max, compressed as it is."""


def faults(section: str, numbers: Mapping[str, Parameter], bounds: Mapping[str, Bounds]) -> Iterator[str]:
    """What is wrong with the numbers of a section of the file, one sentence each."""
    missing = [name for name in bounds if name not in numbers]
    if missing:
        yield f"{section} lacks {', '.join(missing)}"
    for name, parameter in numbers.items():
        base, _, folio = name.rpartition(".")
        own = bounds.get(base) if base in PER_FOLIO and folio in FOLIO_PAGES else bounds.get(name)
        fault = own.fault(parameter) if own else f"is none that the model has; there are {', '.join(bounds)}"
        if fault:
            yield f"{section}.{name} {fault}"
