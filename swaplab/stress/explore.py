"""Which runs are made: a full sweep of the first seeds, in turn with runs of the others."""

from collections.abc import Generator, Iterable
from itertools import count
from random import Random

from .cancel import Cancel
from .order import POLICIES
from .report import Finding, NotReproducibleError, Report
from .run import Run, run
from .scenario import Scenario
from .token import read, token

ONE_STEP = 2
"""Events of a run whose scenario returns in its first step: the step, and the end of the loop."""

Plan = Generator[tuple[int, Cancel | None], Run]
"""Yields the runs to be made, and is sent what became of each."""


def explore(
    scenario: Scenario, *, seeds: range | None = None, policy: str | None = None, token: str | None = None
) -> Report:
    """Run `scenario` again and again until it fails or all `seeds` are done; with `token`, repeat that one run.

    The first `sweep_seeds` seeds are run undisturbed and then swept: each target is cancelled after each event, once
    and twice. Every other seed is run undisturbed and with one cancellation. Runs of both kinds alternate.

    Raises:
        NotReproducibleError: A run that failed went another way when it was repeated.
        TokenError: The token is damaged, or of another scenario or version.
        RuntimeError: A loop runs in this thread.
        ValueError: `seeds` is empty, there is no such policy, or the scenario never suspends.
    """
    seeds = range(scenario.seeds) if seeds is None else seeds
    if not seeds:
        raise ValueError(f"there is no seed in {seeds}: its end must lie behind its beginning")
    if policy is not None and policy not in POLICIES:
        raise ValueError(f"there is no policy {policy!r}: take one of {', '.join(POLICIES)}")
    report = Report(scenario.name)
    if token is not None:
        seed, policy, cancel = read(token, scenario.name)
        _note(report, scenario, run(scenario, seed, cancel, policy))
        return report
    plans = [
        _sweep(seeds[: scenario.sweep_seeds], scenario.cancel),
        _others(seeds[scenario.sweep_seeds :], scenario.cancel),
    ]
    for plan, name in _in_turn(plans):
        seed, cancel = name
        became = run(scenario, seed, cancel, policy)
        if len(became.trace) <= ONE_STEP and not became.broken:
            raise ValueError(f"{scenario.name} never suspends, so there is nothing to disturb: let it await something")
        _note(report, scenario, became)
        if report.finding is not None:
            break
        plan.became = became
    return report


class _Planned:
    """A plan, and what became of the run that it asked for last."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.became: Run | None = None

    def following(self) -> tuple[int, Cancel | None] | None:
        """The next run to be made, or None."""
        try:
            return next(self.plan) if self.became is None else self.plan.send(self.became)
        except StopIteration:
            return None


def _in_turn(plans: Iterable[Plan]) -> Generator[tuple[_Planned, tuple[int, Cancel | None]]]:
    """Ask one plan after the other for a run, until all are through."""
    planned = [_Planned(plan) for plan in plans]
    while planned:
        for one in list(planned):
            name = one.following()
            if name is None:
                planned.remove(one)
            else:
                yield one, name


def _sweep(seeds: Iterable[int], cancels: bool) -> Plan:
    """Cancel each target after its event k, for k = 1, 2, ... until it was over."""
    for seed in seeds:
        undisturbed = yield seed, None
        running = list(range(len(undisturbed.lengths))) if cancels else []
        for k in count(1):
            for target in list(running):
                for times in (1, 2):
                    if not (yield seed, Cancel(target, k, times)).cancelled:
                        running.remove(target)
                        break
            if not running:
                break


def _others(seeds: Iterable[int], cancels: bool) -> Plan:
    """Run each seed undisturbed, and once more with a cancellation drawn from its stream."""
    for seed in seeds:
        lengths = (yield seed, None).lengths
        if cancels and lengths:
            random = Random(f"{seed}:cancel")
            target = random.randrange(len(lengths))
            yield seed, Cancel(target, random.randint(1, max(1, lengths[target] - 1)), random.choice((1, 2)))


def _note(report: Report, scenario: Scenario, became: Run) -> None:
    """Count a run; one that failed is repeated, and is a finding if it went the same way.

    Raises:
        NotReproducibleError: It went another way.
    """
    report.add(became)
    if not became.broken:
        return
    again = run(scenario, became.seed, became.cancel, became.policy)
    if again.trace != became.trace:
        raise NotReproducibleError(_difference(scenario, became, again))
    in_order = became.policy == "fifo" or bool(run(scenario, became.seed, became.cancel, "fifo").broken)
    name = token(scenario.name, became.seed, became.policy, became.cancel)
    report.finding = Finding(scenario.name, became, report.runs, name, not in_order)


def _difference(scenario: Scenario, one: Run, other: Run) -> str:
    ends = (None, None)
    longest = max(len(one.trace), len(other.trace))
    pairs = ([*run.trace, *[ends] * (longest - len(run.trace))] for run in (one, other))
    number, first, second = next(
        (number, first, second) for number, (first, second) in enumerate(zip(*pairs, strict=True), 1) if first != second
    )
    return (
        f"not reproducible: {scenario.name} with seed {one.seed} failed ({one.broken[0]}), and when it was repeated, "
        f"event {number} was {second[1]} at {second[0]} ns and not {first[1]} at {first[0]} ns. Usual causes: the "
        "order of a set, id(), os.urandom, threads, and state that outlives a run"
    )
