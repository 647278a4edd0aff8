"""Rows of the result, and the rounds in which they are measured: in turns, so that the machine's moods hit all.

Only ratios of one round mean anything on a shared machine. A row's fraction is the median of its rounds' ratios, and
its value and limit are medians too, so that the fraction is not exactly their quotient.
"""

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Measure = Callable[[], Awaitable[float]]
"""Measures something once, in the unit of its row."""

Judged = Literal["fraction", "value"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement, and the processor time that it took (all threads of the process)."""

    value: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line: `fraction` is value / limit. Target and aim are for what is `judged`; `better` says which way."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    fraction: float | None = None
    target: float | None = None
    aim: float | None = None
    judged: Judged = "fraction"
    better: Literal["higher", "lower"] = "higher"
    spread: Sequence[float] = field(default=())
    """Least and greatest of what is judged, over the rounds."""

    @property
    def verdict(self) -> str:
        """`aim`, `target` or `miss`; empty without a target, unless the aim is reached."""
        judged = self.fraction if self.judged == "fraction" else self.value
        if judged is None:
            return ""
        sign = 1 if self.better == "higher" else -1
        if self.aim is not None and sign * judged >= sign * self.aim:
            return "aim"
        if self.target is None:
            return ""
        return "target" if sign * judged >= sign * self.target else "miss"


async def in_turns(measures: Mapping[str, Measure], rounds: int) -> dict[str, list[Sample]]:
    """Measure each of them once per round, after a round that does not count."""
    samples: dict[str, list[Sample]] = {name: [] for name in measures}
    for turn in range(rounds + 1):
        for name, measure in measures.items():
            cpu_s = time.process_time()
            value = await measure()
            if turn:
                samples[name].append(Sample(value, time.process_time() - cpu_s))
    return samples


def median(samples: Sequence[Sample]) -> float:
    """The median value."""
    return statistics.median(sample.value for sample in samples)


def ratios(values: Sequence[Sample], limits: Sequence[Sample]) -> list[float]:
    """The ratio of each round."""
    return [value.value / limit.value for value, limit in zip(values, limits, strict=True)]


def against(
    name: str,
    unit: str,
    values: Sequence[Sample],
    limits: Sequence[Sample],
    *,
    target: float | None = None,
    aim: float | None = None,
    judged: Judged = "fraction",
    better: Literal["higher", "lower"] = "higher",
) -> Row:
    """A row of values beside limits that were measured in the same rounds."""
    fractions = ratios(values, limits)
    spread = fractions if judged == "fraction" else [sample.value for sample in values]
    return Row(
        name,
        median(values),
        unit,
        median(limits),
        statistics.median(fractions),
        target,
        aim,
        judged,
        better,
        (min(spread), max(spread)),
    )


def speed_up(
    name: str,
    fast: Sequence[Sample],
    slow: Sequence[Sample],
    best: Sequence[Sample],
    *,
    target: float | None = None,
    aim: float | None = None,
) -> Row:
    """A row for how many times `fast` beats `slow`; the limit is what `best`, the raw limit, would make of it."""
    times, limit = ratios(fast, slow), statistics.median(ratios(best, slow))
    value = statistics.median(times)
    return Row(name, value, "x", limit, value / limit, target, aim, "value", "higher", (min(times), max(times)))
