"""`explore`: run a scenario again and again until it fails, in this process or in several."""

import asyncio

from .examine import examine
from .exploration import Exploration
from .order import POLICIES
from .processes import explore_in_processes
from .report import NotReproducibleError, Report
from .run import run
from .scenario import Scenario
from .token import read


def explore(
    scenario: Scenario,
    *,
    seeds: range | None = None,
    policy: str | None = None,
    jobs: int = 1,
    token: str | None = None,
    shrink: bool = False,
) -> Report:
    """Run `scenario` again and again until it fails or all `seeds` are done; with `token`, repeat that one run.

    The first `sweep_seeds` seeds are run undisturbed and then swept: each target is cancelled after each event, once
    and twice. Every other seed is run undisturbed and with one cancellation. Runs of both kinds alternate.

    With `jobs` above 1 so many processes make the runs, with PYTHONHASHSEED=0. They import the scenario by its name, so
    a script calls this below `if __name__ == "__main__"`. What is found does not depend on `jobs`. With `shrink` as
    much as possible is left out of the run that failed.

    Raises:
        NotReproducibleError: A run that failed went another way when it was repeated.
        ProcessDiedError: A process that made runs was ended from outside.
        TokenError: The token is damaged, or of another scenario or version.
        RuntimeError: A loop runs in this thread.
        TypeError: `scenario` is none, or `seeds` is no range.
        ValueError: `seeds` is empty, there is no such policy, the scenario never suspends, or it is in no module.
    """
    asked = begin(scenario, seeds, policy)
    if jobs < 1:
        raise ValueError(f"{jobs} jobs can do nothing: take 1 at least")
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(f"{scenario.name} can not be run inside of a running loop: call it from a plain function")
    if token is not None:
        return replay(scenario, token)
    if jobs > 1:
        explore_in_processes([asked], jobs, smaller=shrink)
    else:
        while asked.wanted is not None:
            seed, cancel = asked.wanted
            asked.take(run(scenario, seed, cancel, policy))
        if asked.failed is not None:
            asked.report.finding = examine(scenario, asked.failed, asked.report.runs, smaller=shrink)
    if asked.report.not_reproducible:
        raise NotReproducibleError(asked.report.not_reproducible)
    if asked.report.unsuitable:
        raise ValueError(f"{scenario.name} can not be explored: {asked.report.unsuitable}")
    return asked.report


def replay(scenario: Scenario, token: str) -> Report:
    """Repeat the run that a token names, in this process."""
    became = run(scenario, *read(token, scenario.name))
    report = Report(scenario.name, replayed=True)
    report.add(became)
    if became.broken:
        report.finding = examine(scenario, became, 1, smaller=False)
    return report


def begin(scenario: Scenario, seeds: range | None = None, policy: str | None = None) -> Exploration:
    """Begin an exploration; without `seeds` and `policy`, with those of the scenario.

    Raises:
        TypeError: `scenario` is none, or `seeds` is no range.
        ValueError: `seeds` is empty, or there is no such policy.
    """
    if not isinstance(scenario, Scenario):
        raise TypeError(f"{scenario!r} is no scenario: decorate an `async def` with @stress.scenario()")
    if not (seeds is None or isinstance(seeds, range)):
        raise TypeError(f"seeds is a range, as range(2000), and not {seeds!r}")
    seeds = range(scenario.seeds) if seeds is None else seeds
    if not seeds:
        raise ValueError(f"there is no seed in {seeds}: its end must lie behind its beginning")
    if policy is not None and policy not in POLICIES:
        raise ValueError(f"there is no policy {policy!r}: take one of {', '.join(POLICIES)}")
    return Exploration(scenario, seeds, policy)
