"""What `swaplab doctor` found about files: one record each, for the screen and for `--json` alike."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from iaa_emulator import ConfigurationError, DriverFeatures, Topology
from iaa_emulator.errors import Place
from iaa_emulator.hardware.load_config import Advice
from iaa_emulator.hardware.machine import read_file
from iaa_emulator.verdict import Verdict, examine

EXIT_STATUS = {"usable": 0, "not usable": 1, "unreadable": 2}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Said(_Part):
    """A refusal, or advice (then without remedy and errno): about a key of an object, at a line, where there is one."""

    object: str = ""
    key: str = ""
    line: int | None = None
    text: str
    remedy: str = ""
    errno: int = 0

    @classmethod
    def at(cls, place: Place | None, text: str, remedy: str = "", errno: int = 0) -> Self:
        """Said of a place, if there is one."""
        name, key, line = place or ("", "", 0)
        return cls(object=name, key=key, line=line or None, text=text, remedy=remedy, errno=errno)

    def in_file(self, file: str) -> str:
        """One line that begins as a compiler's would: FILE:LINE key: cause; remedy."""
        line = "" if self.line is None else f":{self.line}"
        shown = self.key if self.key.isprintable() else ascii(self.key)
        key = f" {shown}" if self.key else ""
        remedy = f"; {self.remedy[0].lower()}{self.remedy[1:]}" if self.remedy else ""
        return f"{file}{line}{key}: {self.text}{remedy}"


class Queue(_Part):
    """A queue, as in "iax1/wq1.0", whose it is, and a few words about it: if it is impossible, the keys."""

    queue: str
    outcome: str
    detail: str


class MapRow(_Part):
    """Cpus that are served alike, and by which queues."""

    cpus: str
    package: str
    device: str
    compress: list[str]
    decompress: list[str]


class Diagnosis(_Part):
    """One file. `summary` says in a line what it comes to."""

    file: str
    status: Literal["usable", "not usable", "unreadable"]
    summary: str
    queues: list[Queue] = []
    refusals: list[Said] = []
    advice: list[Said] = []
    map: list[MapRow] = []

    @property
    def exit_status(self) -> int:
        """0 usable, 1 not usable, 2 unreadable."""
        return EXIT_STATUS[self.status]


class DoctorReport(_Part):
    """The file that `--json` writes. Nothing in it depends on the host, but the cpus of a file that has none."""

    schema_: Literal["swaplab.doctor/1"] = Field("swaplab.doctor/1", alias="schema")
    swaplab: str
    files: list[Diagnosis]

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def files_of(path: Path) -> list[Path]:
    """The file, or the files of the directory in order of their names, without hidden ones. Raises OSError."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))


def diagnose(file: Path, features: DriverFeatures, g_wqs_per_iaa: int, topology: Topology | None) -> Diagnosis:
    """Examine a file under a driver with `features`, on the cpus of `topology` or its own."""
    try:
        machine, loaded = read_file(file)
    except ConfigurationError as error:
        return Diagnosis(file=str(file), status="unreadable", summary=str(error))
    machine.topology = topology or machine.topology
    verdict = examine(machine, features, g_wqs_per_iaa, loaded)
    return Diagnosis(
        file=str(file),
        status="usable" if verdict.usable else "not usable",
        summary=_summary(verdict, machine.topology),
        queues=[Queue(queue=f"{q.device}/{q.queue}", outcome=q.outcome.value, detail=q.detail) for q in verdict.queues],
        refusals=[Said.at(error.at, error.cause, error.remedy, error.errno) for error in verdict.refusals],
        advice=_advice(verdict.advice),
        map=[
            MapRow(
                cpus=row.cpus,
                package=row.package,
                device=row.device,
                compress=list(row.compress),
                decompress=list(row.decompress),
            )
            for row in verdict.rows
        ],
    )


def _advice(advice: Sequence[Advice]) -> list[Said]:
    return [Said.at(said.at, said.text) for said in advice]


def _summary(verdict: Verdict, cpus: Topology) -> str:
    if not verdict.loads:
        return "not every write succeeds, and the tool stops at the first that fails"
    if not verdict.usable:
        return "every write succeeds, and no queue is the driver's"
    mine = sum(1 for row in verdict.queues if row.outcome == "the driver's")
    where = [_count(cpus.nr_cpus, "cpu"), _count(cpus.packages, "package"), _count(cpus.numa_nodes, "NUMA node")]
    return f"the driver gets {mine} of {_count(len(verdict.queues), 'queue')}; {', '.join(where)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
