"""A testbed: every number of a modelled machine, with its unit, its source and how firmly it is known.

Numbers of the model live in these files and nowhere else. `fitted` ones are what `swaplab calibrate` may change,
`input` ones were read off published tables, `fixed` ones were chosen where the data do not identify them.
"""

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SCHEMA: Literal["swaplab.testbed/1"] = "swaplab.testbed/1"

Firmness = Literal["input", "fitted", "fixed"]


class TestbedError(Exception):
    """A testbed cannot be used; the message names the file, the cause and the remedy."""

    __test__ = False  # not a test class, whatever its name begins with


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Parameter(_Strict):
    """One number. `value` is in `unit`, which the parameter's name repeats where it has one ("iaa.submit_ns")."""

    value: float
    unit: str
    firmness: Firmness
    source: str


class Cell(_Strict):
    """One published figure of one column; `calibration` cells are those that may be fitted on."""

    metric: str
    column: str
    values: tuple[float, ...] = Field(description="more than one where the run was published more than once")

    @property
    def value(self) -> float:
        """The mean of the published runs."""
        return sum(self.values) / len(self.values)


class Table(_Strict):
    """A published table: workload, folio size, compressor columns, and where it stands."""

    workload: Literal["usemem", "kernbench"]
    folio: Literal["4K", "64K", "2M"]
    compressor: str
    source: str
    cells: tuple[Cell, ...]

    def cell(self, column: str, metric: str) -> Cell | None:
        """The published figure of `metric` in `column`, if there is one."""
        return next((cell for cell in self.cells if (cell.column, cell.metric) == (column, metric)), None)


class Usemem(_Strict):
    """The workload of kernel-facts 14.1."""

    processes: int
    pages_per_process: int
    memory_high_pages: int
    sleep_s: float


class Testbed(_Strict):
    """A machine, its costs, its workloads, and what was published about it."""

    __test__ = False

    schema_: Literal["swaplab.testbed/1"] = Field(SCHEMA, alias="schema")
    swaplab: str
    name: str
    title: str
    platform: str = Field(description="name of an iaa_emulator preset")
    parameters: dict[str, Parameter]
    length_factors: dict[str, Parameter]
    usemem: Usemem
    published: tuple[Table, ...]

    def value(self, name: str, folio: str = "") -> float:
        """A parameter, that of this folio size where it has one of its own ("mm.fault_ns.2M")."""
        own = self.parameters.get(f"{name}.{folio}")
        return (own or self.parameters[name]).value

    def ns(self, name: str, folio: str = "") -> int:
        """A parameter in integer nanoseconds."""
        return round(self.value(name, folio))


def testbed_names() -> list[str]:
    """The testbeds that come with the package."""
    return sorted(entry.name.removesuffix(".json") for entry in _shipped().iterdir() if entry.name.endswith(".json"))


@cache
def load_testbed(name_or_file: str) -> Testbed:
    """A shipped testbed by name, or any other by file name; TestbedError with the remedy for what cannot be used."""
    file = Path(name_or_file)
    if name_or_file in testbed_names():
        text = (_shipped() / f"{name_or_file}.json").read_text()
    elif file.suffix == ".json" and file.is_file():
        text = file.read_text()
    else:
        raise TestbedError(f"there is no testbed {name_or_file!r}; use {' or '.join(testbed_names())}, or a .json file")
    try:
        return Testbed.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise TestbedError(f"{name_or_file}: {where}: {first['msg']}; correct it, or use another version") from None


def _shipped() -> resources.abc.Traversable:
    return resources.files("swaplab") / "testbeds"
