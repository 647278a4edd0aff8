"""A testbed: every number of a modelled machine, with its unit, its source and how firmly it is known.

Numbers of the model live in these files and nowhere else. `fitted` ones are what `swaplab calibrate` may change,
`input` ones were read off published tables, `fixed` ones were chosen where the data do not identify them.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from iaa_emulator.hardware.presets import HOST, preset, preset_names
from iaa_emulator.hardware.topology import Topology
from swaplab.model.asked import parse_scale
from swaplab.model.json_file import read_json
from swaplab.model.parameter import KERNBENCH, LENGTH_FACTORS, PARAMETERS, Parameter, Strict, Text, faults
from swaplab.model.published import Table, twice
from swaplab.model.testbed_text import laid_out

SCHEMA: Literal["swaplab.testbed/1"] = "swaplab.testbed/1"

COMPRESSORS = tuple(LENGTH_FACTORS)
"""Those that the modelled machine has costs for."""


MOST_PROCESSES = 10_000
"""Of a workload; each is a task here."""


class TestbedError(Exception):
    """A testbed cannot be used; the message names the file, the cause and the remedy."""

    __test__ = False  # not a test class, whatever its name begins with


def _is_scale(text: str) -> str:
    parse_scale(text)
    return text


Pages = Annotated[int, Field(ge=1, le=1 << 40)]


class Residual(Strict):
    """One cell as published and as modelled; `error` is modelled / published - 1, `fitted` whether it was fitted on."""

    compressor: str
    column: str
    metric: str
    published: float
    modelled: float
    error: float
    fitted: bool


class Calibration(Strict):
    """How `swaplab calibrate` left the fitted parameters: at which scale and seed, and what it missed by."""

    workload: Literal["usemem"]
    folio: Literal["4K", "64K", "2M"]
    scale: Annotated[str, AfterValidator(_is_scale)]
    seed: int
    lengths_sha256: dict[str, str]
    cells: tuple[Residual, ...]

    def worst(self) -> Residual:
        """The fitted cell that is missed by most."""
        return max((cell for cell in self.cells if cell.fitted), key=lambda cell: abs(cell.error))


class Usemem(Strict):
    """The workload of docs/kernel.md#usemem."""

    processes: int = Field(ge=1, le=MOST_PROCESSES)
    pages_per_process: Pages
    memory_high_pages: Pages
    sleep_s: float = Field(ge=0, le=1_000_000)


class Kernbench(Strict):
    """The workload of docs/kernel.md#kernel-build; page counts and user time are those of the published base column."""

    threads: Parameter
    cpus: Parameter
    memory_max_pages: Parameter
    footprint: Parameter
    file_share: Parameter
    order0_ns: Parameter
    other_sys_s: Parameter
    swapin_wait_ns: Parameter


class Testbed(Strict):
    """A machine, its costs, its workloads, and what was published about it."""

    __test__ = False

    schema_: Literal["swaplab.testbed/1"] = Field(SCHEMA, alias="schema")
    swaplab: str
    name: Text
    title: Text
    platform: str = Field(description="name of an iaa_emulator preset")
    parameters: dict[str, Parameter]
    length_factors: dict[str, Parameter]
    usemem: Usemem
    kernbench: Kernbench | None = None
    published: tuple[Table, ...]
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _can_be_simulated(self) -> Self:
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        """What is wrong with the parts, and what does not go together; one sentence each, with the remedy."""
        yield from faults("parameters", self.parameters, PARAMETERS)
        yield from faults("length_factors", self.length_factors, LENGTH_FACTORS)
        if self.platform == HOST or self.platform not in preset_names():
            presets = ", ".join(name for name in preset_names() if name != HOST)
            yield f"platform: {self.platform!r} is none of {presets}"
        work = self.usemem
        if work.memory_high_pages >= work.processes * work.pages_per_process:
            yield "usemem: nothing would be swapped out; memory_high_pages must be below what all processes write"
        for table in twice([(table.workload, table.folio, table.compressor) for table in self.published]):
            yield f"published: the table {' '.join(table)} is there twice; leave one out"
        if self.kernbench is not None:
            yield from faults("kernbench", dict(self.kernbench), KERNBENCH)
            if self.kernbench.cpus.value > len(self.package_0):
                yield f"kernbench.cpus is more than the {len(self.package_0)} cpus of package 0"

    def value(self, name: str, folio: str = "") -> float:
        """A parameter, that of this folio size where it has one of its own ("mm.fault_ns.2M")."""
        own = self.parameters.get(f"{name}.{folio}")
        return (own or self.parameters[name]).value

    def ns(self, name: str, folio: str = "") -> int:
        """A parameter in integer nanoseconds."""
        return round(self.value(name, folio))

    @property
    def topology(self) -> Topology:
        """The cpus of the machine."""
        return preset(self.platform).topology

    @property
    def package_0(self) -> list[int]:
        """The cpus of package 0: its cores' first threads, then their second ones."""
        topology = self.topology
        return [cpu for cpu in range(topology.nr_cpus) if topology.package_of(cpu) == 0]

    @property
    def compress_engines(self) -> int:
        """Engines per device that compress, whatever the device's configuration says."""
        return int(self.value("iaa.compress_engines"))

    @property
    def machine_sha256(self) -> str:
        """The digest of what a simulation depends on: no titles, sources, published cells or residuals."""
        numbers = {
            "platform": self.platform,
            "parameters": {name: p.value for name, p in self.parameters.items()},
            "length_factors": {name: p.value for name, p in self.length_factors.items()},
            "usemem": self.usemem.model_dump(),
            "kernbench": {} if self.kernbench is None else {name: p.value for name, p in self.kernbench},
        }
        return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()

    def fitted(self) -> dict[str, float]:
        """The parameters that calibration may change, by name, in the file's order."""
        return {name: p.value for name, p in self.parameters.items() if p.firmness == "fitted"}

    def with_values(self, values: Mapping[str, float]) -> "Testbed":
        """The same machine with other values of some parameters; KeyError for one that it does not have."""
        changed = {name: self.parameters[name].model_copy(update={"value": value}) for name, value in values.items()}
        return self.model_copy(update={"parameters": self.parameters | changed})

    def to_json(self) -> str:
        """The file's text: a line per parameter and per cell, so that a change shows as one."""
        return laid_out(self.model_dump(by_alias=True, mode="json", exclude_none=True)) + "\n"


def testbed_names() -> list[str]:
    """The testbeds that come with the package."""
    return sorted(entry.name.removesuffix(".json") for entry in _shipped().iterdir() if entry.name.endswith(".json"))


def testbed_file(name_or_file: str) -> Path:
    """Where a testbed is kept; TestbedError when there is none of that name."""
    if name_or_file in testbed_names():
        return Path(str(_shipped() / f"{name_or_file}.json"))
    file = Path(name_or_file)
    if file.suffix == ".json" and file.is_file():
        return file
    raise TestbedError(f"there is no testbed {name_or_file!r}; use {' or '.join(testbed_names())}, or a .json file")


def load_testbed(name_or_file: str) -> Testbed:
    """A shipped testbed by name, or any other by file name; TestbedError with the remedy for what cannot be used."""
    file = testbed_file(name_or_file)
    try:
        content = read_json(file)
    except (OSError, ValueError) as error:
        raise TestbedError(f"{name_or_file}: {error}; name a testbed in JSON") from None
    _check_schema(name_or_file, content)
    try:
        return Testbed.model_validate_json(json.dumps(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = "".join(f"{part}." for part in first["loc"])[:-1]
        what = first["msg"].removeprefix("Value error, ")
        said = f"{where}: {what}" if where else what
        raise TestbedError(f"{name_or_file}: {said}; correct it, or copy a shipped one") from None


def _check_schema(name: str, content: Any) -> None:
    """Say what the file is before saying what is wrong in it."""
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema == SCHEMA:
        return
    if isinstance(schema, str) and re.fullmatch(r"swaplab\.testbed/\d+", schema):
        writer = f"swaplab {content.get('swaplab', 'of another version')}"
        raise TestbedError(f"{name}: {schema} was written by {writer}, and this one reads {SCHEMA}; use that one")
    raise TestbedError(f'{name}: this is no testbed; one begins with "schema": "{SCHEMA}"')


def _shipped() -> resources.abc.Traversable:
    return resources.files(__package__) / "testbeds"
