"""Tables of columns, as the series prints them: what every workload's table has, and how its columns are run.

Results are deterministic: the same seed and the same compressed lengths give the same bytes, in whatever order the
columns were asked for and by however many worker processes they were made. What a column of usemem or of the kernel
build holds is in `usemem` and `kernbench`.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.metadata import version
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from iaa_emulator.hardware.presets import preset
from swaplab.experiments.scales import Workload
from swaplab.memory import sharing
from swaplab.model.columns import Column, with_needs
from swaplab.model.folio_sizes import FOLIO_PAGES
from swaplab.model.machine import Setup
from swaplab.model.published import Table
from swaplab.model.testbed import Testbed
from swaplab.process_died import ProcessDiedError
from swaplab.worker_processes import in_processes
from zswap import ZSWAP_MAX_BATCH_SIZE

Q = TypeVar("Q")
T = TypeVar("T")

SIZE_SUFFIX = {"4K": "", "64K": "-64kB", "2M": "-2048kB"}
"""How per-size counters are called in the kernel's statistics."""

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One column to run, with all that it depends on, so that it can be sent to another process or host."""

    testbed: Testbed = field(hash=False)
    column: Column
    compressor: str
    folio: str
    scale: Fraction
    seed: int = 0
    processes: int | None = None
    devices: int = 8
    wqs: int | None = None
    batch: int = 8
    sync_mode: str = "async"
    values: tuple[tuple[str, float], ...] = ()
    """Parameters of the testbed that are to be otherwise."""
    pinned: bool = True
    """Whether each process of usemem stays on a cpu of its own. Threads of the kernel build never do."""

    def is_default_machine(self, workload: Workload) -> bool:
        """Whether the machine is the testbed's own, said so or not, so that published figures are comparable."""
        build = self.testbed.kernbench
        threads = build.threads.value if build is not None else None
        own = self.testbed.usemem.processes if workload == "usemem" else threads
        asked = (self.processes or own, self.devices, self.wqs, self.batch, self.sync_mode, self.pinned)
        return asked == (own, len(preset(self.testbed.platform).devices), None, ZSWAP_MAX_BATCH_SIZE, "async", True)

    @property
    def setup(self) -> Setup:
        """The machine to build."""
        return Setup(
            self.testbed.with_values(dict(self.values)),
            self.column,
            self.compressor,
            self.folio,
            devices=self.devices,
            wqs=self.wqs,
            batch=self.batch,
            sync_mode=self.sync_mode,
        )

    def seconds(self, ns: int) -> float:
        """A duration of the run at full scale."""
        return float(Fraction(ns, _NS_PER_S) / self.scale)

    def count(self, number: int) -> int:
        """A count of the run at full scale."""
        return round(number / self.scale)


def check_batch(batch: int, folio: str) -> None:
    """ValueError if no chain has so many pages: it would be another name for what a smaller number gives."""
    pages = FOLIO_PAGES[folio]
    if batch > pages:
        holds = f"{pages} page{'s' * (pages > 1)}"
        raise ValueError(
            f"a chain is no longer than a folio, and one of {folio} has {holds}: there is no batch of {batch}; "
            f"ask for at most {pages}, or for larger folios"
        )


class TableColumn(BaseModel):
    """One column at full scale: times and counts multiplied back. Each workload adds its figures."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    name: str
    compressor: str
    patches: list[int]

    def metric(self, name: str) -> float:
        """A figure by the name that it has in the JSON and in the published tables."""
        value: float = self.model_dump(by_alias=True)[name]
        return value


C = TypeVar("C", bound=TableColumn)


class TableReport(BaseModel, Generic[C]):
    """What a command found about one workload; the file that `--json` writes. Nothing in it depends on the host."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["swaplab.table/1"] = Field("swaplab.table/1", alias="schema")
    swaplab: str
    workload: Workload
    testbed: str
    folio: str
    scale: str
    seed: int
    lengths_sha256: str
    columns: list[C]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def head_of(requests: Sequence[Request]) -> dict[str, Any]:
    """What a report says of its table as a whole; all requests are for one testbed, folio size, scale and seed."""
    first = requests[0]
    return {
        "swaplab": version("swaplab"),
        "testbed": first.testbed.name,
        "folio": first.folio,
        "scale": str(first.scale),
        "seed": first.seed,
    }


def name_of(request: Request) -> dict[str, Any]:
    """What a column is called, and what it is a column of."""
    column = request.column
    return {"name": column.name, "compressor": request.compressor, "patches": sorted(column.patches)}


def run_each(
    run: Callable[[Q], T], requests: Sequence[Q], workers: int = 1, ran: Callable[[], object] = bool
) -> list[T]:
    """What `run` makes of each request, in order; in `workers` processes when more than one. `ran`: once for each.

    ProcessDiedError when one of them is killed.
    """
    done: dict[int, T] = {}
    with ExitStack() as stack:
        answers: Iterable[tuple[int, T | ProcessDiedError]] = enumerate(map(run, requests))
        beside = min(workers, len(requests))
        if beside > 1:
            answers = stack.enter_context(in_processes(sharing(run, beside), enumerate(requests), workers))
        for place, answer in answers:
            if isinstance(answer, ProcessDiedError):
                raise answer
            done[place] = answer
            ran()
    return [done[place] for place in range(len(requests))]


def published(testbed: Testbed, folio: str, compressor: str, workload: Workload = "usemem") -> Table | None:
    """The published table that a report can be compared with."""
    wanted = (workload, folio, compressor)
    return next((t for t in testbed.published if (t.workload, t.folio, t.compressor) == wanted), None)


def effective_patches(column: Column, compressor: str) -> frozenset[int]:
    """The patches that do something: 7 moves code only, and a software compressor never meets 4 to 11."""
    ignored = frozenset(range(4, 12)) if compressor == "zstd" else frozenset({7})
    return with_needs(column.patches) - ignored
