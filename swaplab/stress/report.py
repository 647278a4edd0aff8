"""What an exploration has found, and how it is printed."""

from dataclasses import dataclass, field

from .case import Reductions
from .recording import Recording
from .run import Run
from .words import waiting

ENDED_BY_IT = "the cancellation ended the scenario itself, which awaits a target"


class NotReproducibleError(Exception):
    """A run that failed went another way when it was repeated: the program depends on something outside of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A run that failed, replayed once with the same trace.

    It is number `run_number` (from 1) of its exploration, or what shrinking has left of that in so many `tries`. With
    `needs_another_order` the same thing holds when what is ready runs in the order that asyncio promises.
    """

    scenario: str
    run: Run
    run_number: int
    token: str
    needs_another_order: bool
    recording: Recording
    tries: int = 0

    def __str__(self) -> str:
        return self.describe(f"stress.explore({self.scenario.partition(':')[2]}, token={self.token!r})")

    def describe(self, replay: str) -> str:
        """Say all that is known; `replay` is the command or call that repeats it."""
        return "\n".join([*self.told(), f"replay: {replay}"])

    def told(self) -> list[str]:
        """All that is known, but for how to replay it, as lines."""
        run = self.run
        lines = [f"{self.scenario} fails with seed {run.seed} (run {self.run_number}, policy {run.policy})"]
        lines.append(f"cancelled: {run.cancel if run.cancelled else 'nobody'}")
        if run.reductions != Reductions():
            lines.append(f"left out: {run.reductions}")
        for title, entries in (
            ("did not hold", run.broken),
            ("faults that struck", run.faults),
            ("who waits for whom", tuple(map(waiting, run.waiting))),
            ("log", run.told),
            ("swallowed the cancellation and went on", run.swallowed),
        ):
            if entries:
                lines += [f"{title}:", *(f"  {entry}" for entry in entries)]
        if run.ended_by_it:
            lines.append(ENDED_BY_IT)
        if self.needs_another_order:
            lines.append("it needs another order than FIFO, which asyncio promises: a hint, and perhaps no bug")
        return lines


@dataclass(slots=True)
class Report:
    """What `explore` returns, over all runs. `reached` counts for each `sometimes` the runs that reached it.

    `time_ns` is virtual time. An exploration ends with its first finding, so that `runs` is then its number. In
    `cancelled` runs somebody was cancelled, and in `ended_by_it` of them this ended the scenario itself. `unsuitable`
    says why a scenario can not be explored. One run that was `replayed` need not reach each `sometimes`.
    """

    scenario: str
    runs: int = 0
    seeds: int = 0
    events: int = 0
    time_ns: int = 0
    finding: Finding | None = None
    not_reproducible: str = ""
    unsuitable: str = ""
    reached: dict[str, int] = field(default_factory=dict)
    cancelled: int = 0
    swallowed: int = 0
    ended_by_it: int = 0
    replayed: bool = False

    @property
    def unreached(self) -> list[str]:
        """Each `sometimes` that no run of an exploration reached."""
        return [] if self.replayed else [name for name, times in self.reached.items() if not times]

    @property
    def refused(self) -> str:
        """Why the scenario can not be explored: it has nothing to disturb, or needs what virtual time has not."""
        return self.unsuitable or (self.finding.run.refused if self.finding is not None else "")

    @property
    def ok(self) -> bool:
        """Whether every run held, and every `sometimes` was reached."""
        return self.finding is None and not (self.not_reproducible or self.unsuitable or self.unreached)

    @property
    def held(self) -> str:
        """What is said of one that is `ok`."""
        return "held" if self.cancelled or self.replayed else "held, nobody was cancelled"

    def add(self, run: Run) -> None:
        """Count a run. Each seed has one in which nobody is cancelled."""
        self.runs += 1
        self.seeds += run.cancel is None
        self.events += run.events
        self.time_ns += run.time_ns
        self.cancelled += run.cancelled
        self.swallowed += bool(run.swallowed)
        self.ended_by_it += run.ended_by_it
        for name, reached in run.reached.items():
            self.reached[name] = self.reached.get(name, 0) + reached

    def __str__(self) -> str:
        if self.finding is not None:
            return str(self.finding)
        if self.not_reproducible or self.unsuitable:
            return self.not_reproducible or self.unsuitable
        if self.replayed:
            return f"{self.scenario}: the run was repeated, and held"
        lines = [f"{self.scenario}: {self.runs} runs, {f'all {self.held}' if self.ok else 'and this was never seen:'}"]
        lines += [f"  {name}: in {times} runs" for name, times in self.reached.items()]
        if self.swallowed:
            lines.append(f"  in {self.swallowed} runs somebody swallowed the cancellation and went on")
        if self.ended_by_it:
            lines.append(f"  in {self.ended_by_it} runs {ENDED_BY_IT}")
        return "\n".join(lines)
