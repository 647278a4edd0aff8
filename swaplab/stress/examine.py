"""What is made of a run that failed: it is repeated, made smaller if asked to, recorded, and becomes a finding."""

from .recording import record
from .report import Finding, NotReproducibleError
from .run import Run, run
from .scenario import Scenario
from .shrink import fails_alike, shrink
from .token import token


def examine(scenario: Scenario, failed: Run, run_number: int, *, smaller: bool) -> Finding:
    """Make a finding of a run that failed, number `run_number` of its exploration.

    Raises:
        NotReproducibleError: It went another way when it was repeated.
    """
    _again(scenario, failed, run(scenario, *failed.case))
    in_order = failed.policy == "fifo" or fails_alike(failed, run(scenario, *failed.case._replace(policy="fifo")))
    tries = 0
    if smaller:
        failed, tries = shrink(scenario, failed)
    again, recording = record(scenario, failed.case)
    _again(scenario, failed, again)
    name = token(scenario.name, failed.case)
    return Finding(scenario.name, failed, run_number, name, not in_order, recording, tries)


def _again(scenario: Scenario, failed: Run, again: Run) -> None:
    if again.trace != failed.trace:
        raise NotReproducibleError(_difference(scenario, failed, again))


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
