"""A testbed: every number of a modelled machine, with its unit, its source and how firmly it is known.

Numbers of the model live in these files and nowhere else. `fitted` ones are what `swaplab calibrate` may change,
`input` ones were read off published tables, `fixed` ones were chosen where the data do not identify them.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from iaa_emulator.presets import HOST, preset, preset_names
from iaa_emulator.topology import Topology
from swaplab.inputs import FOLIO_PAGES

SCHEMA: Literal["swaplab.testbed/1"] = "swaplab.testbed/1"

Firmness = Literal["input", "fitted", "fixed"]

REQUIRED = (
    *("iaa.submit_ns", "iaa.pipeline_ns", "iaa.service_ns", "iaa.reap_ns", "iaa.compress_engines"),
    *("zswap.lru_hold_ns", "zswap.free_hold_ns", "zswap.free_hold_zstd_factor", "zswap.free_hold_unbatched_factor"),
    *("zswap.store_page_ns", "zswap.free_page_ns", "zstd.compress_ns", "zstd.decompress_ns", "deflate.decompress_ns"),
    *("mm.touch_ns", "mm.fault_ns", "mm.reclaim_ns", "mm.free_resident_ns", "mm.jitter"),
)
"""What the model cannot do without."""
PER_FOLIO = ("mm.fault_ns", "mm.reclaim_ns", "mm.touch_ns")
"""Of these there may be others for a folio size, as mm.fault_ns.2M."""

COMPRESSORS = ("deflate-iaa", "zstd")
"""Those that the modelled machine has costs for."""
MAX_LENGTH_FACTOR = 10


class TestbedError(Exception):
    """A testbed cannot be used; the message names the file, the cause and the remedy."""

    __test__ = False  # not a test class, whatever its name begins with


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, allow_inf_nan=False)


class Parameter(_Strict):
    """One number. `value` is in `unit`, which the parameter's name repeats where it has one ("iaa.submit_ns")."""

    value: float = Field(ge=0)
    unit: str
    firmness: Firmness
    source: str

    def rounded(self, value: float) -> float:
        """`value` to the digits that this unit is written with: whole nanoseconds, three decimals of a factor."""
        return float(round(value)) if self.unit == "ns" else round(value, 3)


class Cell(_Strict):
    """One published figure of one column."""

    metric: str
    column: str
    values: tuple[float, ...] = Field(min_length=1, description="more than one where the run was published twice")

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


class Residual(_Strict):
    """One cell as published and as modelled; `error` is modelled / published - 1, `fitted` whether it was fitted on."""

    compressor: str
    column: str
    metric: str
    published: float
    modelled: float
    error: float
    fitted: bool


class Calibration(_Strict):
    """How `swaplab calibrate` left the fitted parameters: at which scale and seed, and what it missed by."""

    workload: Literal["usemem"]
    folio: Literal["4K", "64K", "2M"]
    scale: str
    seed: int
    lengths_sha256: dict[str, str]
    cells: tuple[Residual, ...]

    def worst(self) -> Residual:
        """The fitted cell that is missed by most."""
        return max((cell for cell in self.cells if cell.fitted), key=lambda cell: abs(cell.error))


class Usemem(_Strict):
    """The workload of kernel-facts 14.1."""

    processes: int = Field(ge=1)
    pages_per_process: int = Field(ge=1)
    memory_high_pages: int = Field(ge=1)
    sleep_s: float = Field(ge=0)


class Kernbench(_Strict):
    """The workload of kernel-facts 14.2; its page counts and user time are those of the published base column."""

    threads: Parameter
    cpus: Parameter
    memory_max_pages: Parameter
    footprint: Parameter
    file_share: Parameter
    order0_ns: Parameter
    other_sys_s: Parameter
    swapin_wait_ns: Parameter


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
    kernbench: Kernbench | None = None
    published: tuple[Table, ...]
    calibration: Calibration | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        missing = [name for name in REQUIRED if name not in self.parameters]
        missing += [name for name in COMPRESSORS if name not in self.length_factors]
        if missing:
            raise ValueError(f"lacks {', '.join(missing)}")
        for name, parameter in self.parameters.items():
            _check(name, parameter)
        for name, parameter in self.length_factors.items():
            if name not in COMPRESSORS:
                raise ValueError(f"length_factors: {name} takes none, only {' and '.join(COMPRESSORS)} do")
            if not 1 <= parameter.value <= MAX_LENGTH_FACTOR or parameter.unit != "factor":
                raise ValueError(f"length_factors: {name} is a factor from 1 to {MAX_LENGTH_FACTOR}; it only adds")
        if self.platform == HOST or self.platform not in preset_names():
            presets = ", ".join(name for name in preset_names() if name != HOST)
            raise ValueError(f"platform: {self.platform!r} is none of {presets}")
        engines = self.value("iaa.compress_engines")
        if engines < 1 or not engines.is_integer():
            raise ValueError(f"iaa.compress_engines is {engines:g}, but a device has a whole number of them, 1 or more")
        return self

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
        return _laid_out(self.model_dump(by_alias=True, mode="json", exclude_none=True)) + "\n"


def _check(name: str, parameter: Parameter) -> None:
    """ValueError for a parameter that the model does not know, or in a unit that its name does not say."""
    base, _, folio = name.rpartition(".")
    if name not in REQUIRED and not (base in PER_FOLIO and folio in FOLIO_PAGES):
        raise ValueError(f"parameters: {name} is none that the model has")
    unit = "ns" if "_ns" in name else "engines" if name == "iaa.compress_engines" else "factor"
    if parameter.unit != unit:
        raise ValueError(f"parameters: {name} is in {unit}, not in {parameter.unit}")
    if name == "mm.jitter" and parameter.value >= 1:
        raise ValueError("parameters: mm.jitter is a spread below 1")


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
        content = json.loads(file.read_text(encoding="utf-8"))
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
    return resources.files("swaplab") / "testbeds"


def _laid_out(value: Any, depth: int = 0) -> str:
    """JSON with an object of scalars on one line, and whole numbers without a fraction."""
    inner, outer = " " * (depth + 1), " " * depth
    if isinstance(value, dict) and not (depth and _is_flat(value)):
        lines = [f"{inner}{json.dumps(key)}: {_laid_out(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{outer}}}"
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "[\n" + ",\n".join(inner + _laid_out(item, depth + 1) for item in value) + f"\n{outer}]"
    return json.dumps(_whole(value), ensure_ascii=False)


def _is_flat(value: dict[str, Any]) -> bool:
    """Whether all it holds are scalars and lists of scalars."""
    parts = [part for item in value.values() for part in (item if isinstance(item, list) else [item])]
    return not any(isinstance(part, dict | list) for part in parts)


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
