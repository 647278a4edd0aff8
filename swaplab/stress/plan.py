"""Which runs are made: a full sweep of the first seeds, in turn with runs of the others.

A plan is a generator: it yields the name of a run, and is sent what became of it. `explore` makes the runs itself, or
has worker processes make them ahead of it; the plan decides alone which of them count, and in which order.
"""

import re
from collections.abc import Generator, Iterable
from itertools import count, takewhile
from random import Random

from .case import Cancel
from .run import Run
from .scenario import Scenario

Name = tuple[int, Cancel | None]
"""A seed and a cancellation."""
Plan = Generator[Name, Run]


def parse_seeds(text: str) -> range:
    """Read seeds such as 0:2000, the second not included.

    Raises:
        ValueError: They are something else, or none.
    """
    match = re.fullmatch(r"([0-9]{1,15}):([0-9]{1,15})", text)
    seeds = range(*map(int, match.groups())) if match else range(0)
    if not seeds:
        raise ValueError(f"seeds are FROM:TO with TO above FROM, as in 0:2000, and not {text!r}")
    return seeds


def plan(scenario: Scenario, seeds: range) -> Plan:
    """Plan the whole exploration of a scenario."""
    swept = scenario.sweep_seeds
    return in_turn(sweep(seeds[:swept], scenario.cancel), others(seeds[swept:], scenario.cancel))


def begun(plan: Plan) -> Name | None:
    """Return the first run of a plan; None if there is none."""
    return next(plan, None)


def following(plan: Plan, became: Run) -> Name | None:
    """Tell a plan what became of the run that it asked for, and return the next; None if it is through."""
    try:
        return plan.send(became)
    except StopIteration:
        return None


def in_turn(*plans: Plan) -> Plan:
    """Make one run of each plan after the other, until all are through."""
    names = {plan: begun(plan) for plan in plans}
    while any(names.values()):
        for plan, name in names.items():
            if name is not None:
                names[plan] = following(plan, (yield name))


def sweep(seeds: Iterable[int], cancels: bool) -> Plan:
    """Sweep each seed."""
    for seed in seeds:
        yield from sweep_one(seed, count(1) if cancels else ())


def sweep_one(seed: int, ks: Iterable[int]) -> Plan:
    """Run a seed undisturbed, and then cancel each target after its event k, for k of `ks`, until it was over.

    That is at its end in the undisturbed run, and no later, whatever a program does that remembers other runs.
    """
    lengths = (yield seed, None).lengths
    running = list(range(len(lengths)))
    longest = max(lengths, default=0) + 1
    for k in takewhile(lambda k: k <= longest, ks):
        for target in list(running):
            for times in (1, 2):
                if not (yield seed, Cancel(target, k, times)).cancelled:
                    running.remove(target)
                    break
        if not running:
            break


def others(seeds: Iterable[int], cancels: bool) -> Plan:
    """Run each seed undisturbed, and once more with a cancellation drawn from its stream."""
    for seed in seeds:
        lengths = (yield seed, None).lengths
        if cancels and lengths:
            random = Random(f"{seed}:cancel")
            target = random.randrange(len(lengths))
            yield seed, Cancel(target, random.randint(1, max(1, lengths[target] - 1)), random.choice((1, 2)))
