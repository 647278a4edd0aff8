"""What a run follows from: its seed, who is cancelled when, the order of what is ready, and what was left out of it."""

from dataclasses import dataclass
from typing import NamedTuple

MOST_JITTER_MS = 1e12


class Cancel(NamedTuple):
    """Target number `target` (from 0, in order of their making) is cancelled after event `k` of it, `times` in a row.

    Event 1 is the first event of the whole loop after the target's task was made. Two calls of `task.cancel()` in a row
    raise CancelledError once, as one does; but `task.cancelling()` is 2, so what takes back one of them with `uncancel`
    (`asyncio.timeout`, a TaskGroup) sees that it is not its own.
    """

    target: int
    k: int
    times: int = 1

    def __str__(self) -> str:
        return f"target {self.target} after event {self.k}, {'once' if self.times == 1 else 'twice in a row'}"


@dataclass(frozen=True, slots=True)
class Reductions:
    """What shrinking has left out of a run.

    `without` are numbers of clients that are not started (the others keep theirs), `strikes` which of the faults that
    would strike do so, as "client 2:1" for the first of that task (None: all), and `jitter_ms` replaces that of the
    scenario.
    """

    without: tuple[int, ...] = ()
    strikes: tuple[str, ...] | None = None
    jitter_ms: float | None = None

    def __str__(self) -> str:
        numbers = ", ".join(map(str, self.without))
        said = [f"client{'s' * (len(self.without) > 1)} {numbers}"] if self.without else []
        if self.strikes is not None:
            said.append("all other faults" if self.strikes else "all faults")
        if self.jitter_ms is not None:
            said.append(f"jitter above {self.jitter_ms:g} ms" if self.jitter_ms else "all jitter")
        return ", ".join(said)


WHOLE = Reductions()
"""Nothing is left out."""


class Case(NamedTuple):
    """All that one run follows from, beside its scenario; what `run` takes, and what a token holds."""

    seed: int
    cancel: Cancel | None = None
    policy: str | None = None
    reductions: Reductions = WHOLE
