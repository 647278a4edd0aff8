"""What scripts are written with, for an editor (schema swaplab.script-vocabulary/1): tables of the code, as data."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from acomp import states
from iaa_emulator.driver.attributes import SYNC_MODES

from . import bounds
from .calls import CALLS, FAULT_POINTS, NAMES, Entry, Kind
from .exercises import Exercise, exercises
from .pipeline import LEGEND
from .script import OBJECTS, Machine
from .stores import FEATURES

SCHEMA: Final = "swaplab.script-vocabulary/1"


ALGORITHMS: Final = ("deflate-iaa", "deflate", "zstd", "lz4", "lzo")
"""What crypto_alloc_acomp takes: the accelerator, and software."""
ATTRIBUTES: Final[Mapping[str, list[str]]] = {
    "sync_mode": list(SYNC_MODES),
    "verify_compress": ["0", "1"],
    "g_wqs_per_iaa": ["0", "1"],
    "g_consec_descs_per_gwq": ["1", "8"],
}
"""What machine.attribute takes. The last two come with patch 9, and take other numbers, too."""


class Part(BaseModel):
    """What all parts have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class ParamWords(Part):
    """A parameter of a call: its name, and what it is meant for."""

    name: str
    kind: Kind


class CallWords(Part):
    """A call. The last `optional` parameters may be left out; with `repeats` the last may come any number of times.

    `waits`: it can be a task. `gives`: what a name bound to its result stands for. `own`: it is the runner's, and what
    it is given is checked beforehand.
    """

    name: str
    params: list[ParamWords]
    what: str
    waits: bool
    gives: Kind | None
    optional: int
    repeats: bool
    own: bool


class MachineWords(Part):
    """A key of the machine: what it is if nothing is said, and its `choices`, or the least and the most it may be."""

    name: str
    what: str
    default: int | bool | str
    choices: list[str] | None = None
    least: int | None = None
    most: int | None = None


class States(Part):
    """The tables of states: for each state, by event, the state that follows."""

    request: dict[str, dict[str, str]]
    chain: dict[str, dict[str, str]]


class Vocabulary(Part):
    """Everything that a script can consist of."""

    schema_: Literal["swaplab.script-vocabulary/1"] = Field(default=SCHEMA, alias="schema")
    calls: list[CallWords]
    objects: list[str] = Field(description="The keys of the objects with one key that an argument may be.")
    names: list[str] = Field(description="What {name: ...} can be.")
    algorithms: list[str]
    devices: list[str] = Field(description="The names of as many devices as a machine can have.")
    features: list[str] = Field(description="What a store can be opened with.")
    attributes: dict[str, list[str]] = Field(description="Of machine.attribute: names, each with texts that it takes.")
    fault_points: dict[str, str] = Field(description="What fails at each point of fault.at.")
    machine: list[MachineWords]
    states: States
    legend: dict[str, str] = Field(description="The letters of a picture.")
    bounds: dict[str, int]
    exercises: list[Exercise]


def vocabulary() -> Vocabulary:
    """All of it, from the tables that scripts are checked by and run with."""
    return Vocabulary(
        calls=[_call(entry) for entry in CALLS.values()],
        objects=list(OBJECTS),
        names=list(NAMES),
        algorithms=list(ALGORITHMS),
        devices=Machine(devices=bounds.DEVICES).device_names,
        features=list(FEATURES),
        attributes=dict(ATTRIBUTES),
        fault_points=dict(FAULT_POINTS),
        machine=list(_machine()),
        states=States.model_validate({"request": states.REQUEST, "chain": states.CHAIN}),
        legend=LEGEND,
        exercises=exercises(),
        bounds={name.lower(): value for name, value in vars(bounds).items() if name.isupper() and name != "MIB"},
    )


def _call(entry: Entry) -> CallWords:
    return CallWords(
        name=entry.name,
        params=[ParamWords(name=param.name, kind=param.kind) for param in entry.params],
        what=entry.what,
        waits=entry.waits,
        gives=entry.gives,
        optional=entry.optional,
        repeats=entry.repeats,
        own=entry.is_own,
    )


def _machine() -> Iterator[MachineWords]:
    """The keys of a machine, from its model."""
    for name, schema in Machine.model_json_schema()["properties"].items():
        first = schema.get("anyOf", [schema])[0]  # of patches the words; they may be a list of numbers, too
        yield MachineWords(
            name=name,
            what=schema["description"],
            default=schema["default"],
            choices=first.get("enum"),
            least=first.get("minimum"),
            most=first.get("maximum"),
        )
