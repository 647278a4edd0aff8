"""What a job may be: experiments of the laboratory within bounds. Never a file, an address or an import."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter

from .models import Model

Columns = Annotated[list[Literal["base", "v8", "v9", "v14"]], Field(min_length=1, max_length=4)]
Scale = Annotated[int, Field(ge=64, le=4096, description="The experiment is so many times smaller.")]
Seed = Annotated[int, Field(ge=0, le=1_000_000_000)]
FolioSize = Literal["4K", "64K", "2M"]
Compressor = Literal["deflate-iaa", "zstd"]
Scenario = Literal[
    "all",
    "campaigns",
    "zoo",
    "chain-storm",
    "contended-device",
    "hotplug",
    "pool-pressure",
    "compressor-switching",
    "device-loss",
    "cancellation-storm",
    "mixed-cgroups",
    "cached-values",
    "zoo.handed_faulty",
    "zoo.handed_correct",
    "zoo.woken_faulty",
    "zoo.woken_correct",
    "zoo.reply_faulty",
    "zoo.reply_correct",
    "zoo.made_faulty",
    "zoo.made_correct",
    "zoo.neighbour_faulty",
    "zoo.neighbour_correct",
    "zoo.item_faulty",
    "zoo.item_correct",
    "zoo.drain_faulty",
    "zoo.drain_correct",
    "zoo.closing_faulty",
    "zoo.closing_correct",
]
"""What `swaplab stress` has of its own. Importing that takes most of a second, so a test holds the two together."""


class _Experiment(Model):
    compressor: Compressor = "deflate-iaa"
    folio: FolioSize = "64K"
    scale: Scale = 512
    seed: Seed = 0

    @property
    def options(self) -> list[str]:
        """Of the command line."""
        given = {"compressor": self.compressor, "folio": self.folio, "scale": f"1/{self.scale}", "seed": self.seed}
        return [f"--{name}={value}" for name, value in given.items()]


class UsememJob(_Experiment):
    """`swaplab usemem`."""

    kind: Literal["usemem"]
    columns: Columns = Field(default=["base", "v8"])

    @property
    def command(self) -> list[str]:
        """The command line, without where its figures go."""
        return ["usemem", *self.options, f"--columns={','.join(self.columns)}", "--workers=1"]


class KernbenchJob(_Experiment):
    """`swaplab kernbench`."""

    kind: Literal["kernbench"]
    columns: Columns = Field(default=["base", "v8"])
    scale: Scale = 1024

    @property
    def command(self) -> list[str]:
        """The command line, without where its figures go."""
        return ["kernbench", *self.options, f"--columns={','.join(self.columns)}", "--workers=1"]


class AblateJob(_Experiment):
    """`swaplab ablate`."""

    kind: Literal["ablate"]

    @property
    def command(self) -> list[str]:
        """The command line, without where its figures go."""
        return ["ablate", *self.options, "--workers=1"]


class SweepJob(Model):
    """`swaplab sweep` over devices and batches."""

    kind: Literal["sweep"]
    devices: list[Annotated[int, Field(ge=1, le=8)]] = Field(default=[1, 2, 4], min_length=1, max_length=4)
    batch: list[Annotated[int, Field(ge=1, le=32)]] = Field(default=[1, 8], min_length=1, max_length=4)
    scale: Scale = 2048

    @property
    def command(self) -> list[str]:
        """The command line, without where its results go."""
        axes: dict[str, Sequence[int]] = {"devices": self.devices, "batch": self.batch}
        grid = [f"--grid={name}={','.join(map(str, values))}" for name, values in axes.items()]
        return ["sweep", *grid, f"--scale=1/{self.scale}", "--workers=1"]


class StressJob(Model):
    """`swaplab stress` of scenarios that come with it."""

    kind: Literal["stress"]
    scenario: Scenario = "all"
    seeds: int = Field(20, ge=1, le=2000)

    @property
    def command(self) -> list[str]:
        """The command line."""
        return ["stress", self.scenario, f"--seeds=0:{self.seeds}", "--jobs=1", "--no-shrink"]


JobRequest = Annotated[UsememJob | KernbenchJob | AblateJob | SweepJob | StressJob, Field(discriminator="kind")]
JOB_REQUEST: Final[TypeAdapter[JobRequest]] = TypeAdapter(JobRequest)

JobStatus = Literal["waiting", "running", "done", "failed", "cancelled", "timed out"]
ENDED: Final = ("done", "failed", "cancelled", "timed out")


class JobInfo(Model):
    """A job: what was asked for, what has become of it, what it printed, and its figures."""

    id: int
    request: JobRequest
    status: JobStatus
    exit_status: int | None = None
    text: str = ""
    errors: str = ""
    result: Any = None


class JobList(Model):
    """Those that are kept, oldest first."""

    jobs: list[JobInfo]
