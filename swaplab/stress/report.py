"""What an exploration has found, and how it is printed."""

from dataclasses import dataclass, field

from .run import Run


class NotReproducibleError(Exception):
    """A run that failed went another way when it was repeated: the program depends on something outside of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A run that failed, replayed once with the same trace. `run_number` counts from 1."""

    scenario: str
    run: Run
    run_number: int
    token: str
    needs_another_order: bool

    def __str__(self) -> str:
        return self.describe(f"stress.explore({self.scenario.partition(':')[2]}, token={self.token!r})")

    def describe(self, replay: str) -> str:
        """Say all that is known; `replay` is the command or call that repeats it."""
        run = self.run
        lines = [f"{self.scenario} fails with seed {run.seed} (run {self.run_number}, policy {run.policy})"]
        lines.append(f"cancelled: {run.cancel if run.cancelled else 'nobody'}")
        for title, entries in (
            ("did not hold", run.broken),
            ("faults that struck", run.faults),
            ("who waits for whom", run.waiting),
            ("log", run.told),
            ("swallowed the cancellation and went on", run.swallowed),
        ):
            if entries:
                lines += [f"{title}:", *(f"  {entry}" for entry in entries)]
        if self.needs_another_order:
            lines.append("it needs another order than FIFO, which asyncio promises: a hint, and perhaps no bug")
        lines.append(f"replay: {replay}")
        return "\n".join(lines)


@dataclass(slots=True)
class Report:
    """What `explore` returns. `reached` counts for each `sometimes` the runs that reached it."""

    scenario: str
    runs: int = 0
    finding: Finding | None = None
    reached: dict[str, int] = field(default_factory=dict)
    swallowed: int = 0

    @property
    def unreached(self) -> list[str]:
        """Each `sometimes` that no run reached."""
        return [name for name, times in self.reached.items() if not times]

    @property
    def ok(self) -> bool:
        """Whether every run held, and every `sometimes` was reached."""
        return self.finding is None and not self.unreached

    def add(self, run: Run) -> None:
        """Count a run."""
        self.runs += 1
        self.swallowed += bool(run.swallowed)
        for name, reached in run.reached.items():
            self.reached[name] = self.reached.get(name, 0) + reached

    def __str__(self) -> str:
        if self.finding is not None:
            return str(self.finding)
        lines = [f"{self.scenario}: {self.runs} runs, {'all held' if self.ok else 'and this was never seen:'}"]
        lines += [f"  {name}: in {times} runs" for name, times in self.reached.items()]
        if self.swallowed:
            lines.append(f"  in {self.swallowed} runs somebody swallowed the cancellation and went on")
        return "\n".join(lines)
