"""The answer of a script that was run (schema swaplab.script-run/1): plain data, of which every picture is made.

Objects are named as the script names them, never by the serial numbers of one process: equal scripts, equal answers,
byte for byte. Keys of `changed`: a request, wait object, list or store by its name; the chain of a head as
`<head>.chain`; a device as `machine.iax1`.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from acomp.states import ChainState, RequestState

SCHEMA: Final = "swaplab.script-run/1"

Cut = Literal["calls", "events", "time", "bytes"]


class Part(BaseModel):
    """What all parts of an answer have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Reference(Part):
    """An object that has a name."""

    ref: str


class Coroutine(Part):
    """Work that has not begun: whoever awaits it, once, begins it."""

    coroutine: Literal[True] = True


Value = int | str | None | Reference | Coroutine
"""What a call returned. Booleans are 0 and 1; a list of requests is their names; what has no name is null."""


class Failure(Part):
    """An exception: the name of its class, its errno (positive, if it has one), and what it says."""

    type: str
    errno: int | None
    message: str


class Explanation(Part):
    """What happened, whose result it is, and what the caller must do now."""

    happened: str
    whose: str
    remedy: str


class RequestView(Part):
    """A request: its state, the head of its chain, and what the last operation left in it.

    It is `in_flight` as long as a job holds it, though its caller was cancelled and has left.
    """

    kind: Literal["request"] = "request"
    state: RequestState
    chained_to: str | None
    err: int
    dlen: int


class ChainView(Part):
    """The chain of a head: its state, and the members in list order."""

    kind: Literal["chain"] = "chain"
    state: ChainState
    members: list[str]


class WaitView(Part):
    """A wait object: whether a completion is counted that nobody has waited for, and the result that came last."""

    kind: Literal["wait"] = "wait"
    done: bool
    err: Value


class ListView(Part):
    """A list of the script's own: numbers as they are, of an `SgEntry` its length or its error, objects by name.

    An `SgEntry` that has a name is a list of one.
    """

    kind: Literal["list"] = "list"
    values: list[Value]


class DeviceView(Part):
    """A device: bound queues with the descriptors in use of each, and whether the driver uses devices at all."""

    kind: Literal["device"] = "device"
    queues: dict[str, int]
    enabled: bool


class StoreView(Part):
    """A compressed store: how many pages are in it, and its counters that are not 0, under the kernel's names."""

    kind: Literal["store"] = "store"
    pages: int
    counters: dict[str, int]


View = Annotated[RequestView | ChainView | WaitView | ListView | DeviceView | StoreView, Field(discriminator="kind")]


class CallRun(Part):
    """What became of one call. `events`: those told during it, from the first to before the end.

    `explain` is about its error, or about the code that it returned.
    """

    index: int
    status: Literal["returned", "raised", "started", "skipped"]
    value: Value = None
    error: Failure | None = None
    explain: Explanation | None = None
    events: tuple[int, int]
    changed: dict[str, View] = Field(default_factory=dict)


class TaskRun(Part):
    """What became of a task. `cancelled` is also one that was going on when the script ended."""

    status: Literal["returned", "raised", "cancelled"]
    value: Value = None
    error: Failure | None = None


class Output(Part):
    """What became of a request that was submitted, the last time it was. `crc32`: of the output, if there is one.

    `err` of a request that stands alone is the code that its caller got, null if nobody asked for it.
    """

    err: int | None
    dlen: int
    path: Literal["hardware", "software"]
    crc32: int | None
    explain: Explanation | None


class Event(Part):
    """One event: loop time, the call during which it was told (null: when the script had ended), and its object."""

    at_ns: int
    call: int | None
    kind: str
    object: str | None
    fields: dict[str, int | str | bool | None]


class Left(Part):
    """What the script left. `held` would be a fault of the emulator: it is still there when all has been cleared."""

    kind: Literal["task", "job", "coroutine", "fault", "held"]
    object: str | None
    text: str


class ScriptRun(Part):
    """A script that was run. `cut`: by which bound it was ended before its time."""

    schema_: Literal["swaplab.script-run/1"] = Field(default=SCHEMA, alias="schema")
    version: str
    calls: list[CallRun]
    tasks: dict[str, TaskRun]
    outputs: dict[str, Output]
    events: list[Event]
    left_over: list[Left]
    cut: Cut | None = None

    def to_json(self, indent: int | None = None) -> str:
        """The answer as JSON."""
        return self.model_dump_json(by_alias=True, indent=indent)
