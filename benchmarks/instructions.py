"""`python -m benchmarks.instructions`: instructions and processor time per page, of this tree and of another commit.

Instructions hardly depend on the machine or on who else uses it. Three things are measured, each by runs of
`benchmarks/counted.py` in processes of their own:

machine    machine instructions of the loop's thread per stored page: what is ours
bytecode   instructions of the interpreter per page of a simulated usemem (v8), by tracing
processor  processor time per page of the chain interface, and of `import`, in turns with the other commit

Two runs of different length are compared where instructions are counted, so that what happens once cancels out.
docs/benchmarks.md says how to read it. Takes minutes.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import start
from .counted import NO_SUCH_INTERFACE
from .counters import ADVICE, COUNTERS, usable
from .trees import HERE, Tree, commit

COUNTED = Path(__file__).with_name("counted.py")
LENGTHS = {
    "null-64K": (256, 1024),
    "null-2M": (8, 32),
    "iaa-64K": (128, 512),
    "threads-64K": (256, 1024),
    "threads-2M": (8, 32),
    "threads-4K": (1024, 3072),
    "zstd-64K": (128, 512),
    "usemem": (1, 2),
}
"""How many folios (2048ths of usemem) the two runs are whose instructions are compared."""
MACHINE_LOADS = tuple(LENGTHS)[:-1]
TIMED = {
    "null-64K": 4096,
    "null-2M": 128,
    "iaa-64K": 1024,
    "zstd-4K": 8192,
    "zstd-64K": 512,
    "zstd-2M": 16,
    "usemem": 1,
}
"""How many of them the runs are whose processor time is compared."""
INTERFACES = ("chain", "array", "unit")


@dataclass(frozen=True, slots=True)
class Goal:
    """What a ratio to the other commit should be at most."""

    target: float
    aim: float

    def verdict(self, ratio: float) -> str:
        """Beside a ratio."""
        reached = "aim" if ratio <= self.aim else "target" if ratio <= self.target else "miss"
        return f"  target <= {self.target}, aim <= {self.aim}: {reached}"


GOALS = {
    ("null-64K", "unit"): Goal(0.65, 0.57),
    ("threads-64K", "unit"): Goal(0.65, 0.57),
    ("null-2M", "unit"): Goal(0.50, 0.45),
    ("threads-2M", "unit"): Goal(0.50, 0.45),
    ("iaa-64K", "unit"): Goal(0.50, 0.43),
}
BYTECODE_GOAL = Goal(1700, 1430)
PROCESSOR_GOAL = Goal(1.03, 0.9)


def run(tree: Tree, load: str, interface: str, length: int, how: str = "plain") -> dict[str, Any] | None:
    """What one run tells; None if the tree has no such interface."""
    done = tree.run(str(COUNTED), load, interface, str(length), how)
    if done.returncode == NO_SUCH_INTERFACE:
        return None
    if done.returncode:
        raise SystemExit(f"{load}, {interface}, {tree.name}: {done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def per_page(load: str, counted: Callable[[int], tuple[int, int]]) -> float:
    """Instructions for one more page; `counted(length)` gives instructions and pages of a run."""
    (few, few_pages), (many, many_pages) = map(counted, LENGTHS[load])
    return (many - few) / (many_pages - few_pages)


def machine_per_page(counter: str, tree: Tree, load: str, interface: str) -> float | None:
    """Machine instructions of the loop's thread for one more page; None if the tree has no such interface."""
    if run(tree, load, interface, 1) is None:  # and everything is compiled from now on
        return None

    def counted(length: int) -> tuple[int, int]:
        count, said = COUNTERS[counter](tree, str(COUNTED), load, interface, str(length), "plain")
        return count, json.loads(said)["pages"]

    return per_page(load, counted)


def bytecode_per_page(tree: Tree) -> float:
    """Instructions of the interpreter for one more simulated page."""

    def counted(length: int) -> tuple[int, int]:
        told = run(tree, "usemem", "chain", length, "bytecode")
        assert told is not None
        return told["bytecode"], told["pages"]

    return per_page("usemem", counted)


def machine_lines(counter: str, loads: Sequence[str], interfaces: Sequence[str], base: Tree | None) -> Iterator[str]:
    """A line for each load and interface, beside the chain interface of the other commit."""
    yield f"Machine instructions of the loop's thread per page, by {counter}:"
    for load in loads:
        before = None if base is None else machine_per_page(counter, base, load, "chain")
        if base is not None and before is not None:
            yield f"  {load:11} {'chain':6} {before:10,.0f}          {base.name}"
        for interface in interfaces:
            count = machine_per_page(counter, HERE, load, interface)
            if count is None:
                yield f"  {load:11} {interface:6}   this tree does not have the interface {interface!r}"
                continue
            goal, ratio = GOALS.get((load, interface)), None if before is None else count / before
            told = "" if ratio is None else f"{ratio:8.3f}" + (goal.verdict(ratio) if goal else "")
            yield f"  {load:11} {interface:6} {count:10,.0f} {told}"


def bytecode_lines(base: Tree | None) -> Iterator[str]:
    """A line for this tree, and one for the other commit."""
    yield "Instructions of the interpreter per page of a simulated usemem (v8, deflate-iaa, 64K), by sys.settrace:"
    before = None if base is None else bytecode_per_page(base)
    if base is not None:
        yield f"  usemem      {before:17,.0f}          {base.name}"
    count = bytecode_per_page(HERE)
    ratio = "" if before is None else f"{count / before:8.3f}"
    yield f"  usemem      {count:17,.0f} {ratio:8}{BYTECODE_GOAL.verdict(count)}"


def processor_lines(base: Tree, rounds: int) -> Iterator[str]:
    """A line for each load: processor time, of the other commit's in the same round; median, least and greatest."""
    yield f"Processor time, chain interface, of {base.name}; {rounds} rounds in turns:"
    for load, length in TIMED.items():

        def page_us(tree: Tree, load: str = load, length: int = length) -> float:
            told = run(tree, load, "chain", length)
            assert told is not None
            return float(told["cpu_s"]) / int(told["pages"]) * 1e6

        yield _in_turns(load, "us/page", page_us, base, rounds, PROCESSOR_GOAL)
    yield _in_turns("import", "ms", lambda tree: start.import_s(tree) * 1e3, base, rounds, start.GOAL_RATIO)


def _in_turns(
    name: str, unit: str, measure: Callable[[Tree], float], base: Tree, rounds: int, goal: tuple[float, float] | Goal
) -> str:
    for tree in (base, HERE):
        measure(tree)
    ratios, values = [], []
    for number in range(rounds):
        order = (base, HERE) if number % 2 else (HERE, base)
        taken = {tree.name: measure(tree) for tree in order}
        values.append(taken[HERE.name])
        ratios.append(taken[HERE.name] / taken[base.name])
    ratio, goal = statistics.median(ratios), goal if isinstance(goal, Goal) else Goal(*goal)
    spread = f"{min(ratios):.3f} .. {max(ratios):.3f}"
    return f"  {name:11} {statistics.median(values):8.3g} {unit:8} {ratio:8.3f}  {spread}{goal.verdict(ratio)}"


def main() -> None:
    """Print a line for each figure, as soon as it is there."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = ("machine", "bytecode", "processor")
    parser.add_argument(
        "what",
        nargs="*",
        choices=[*kinds, []],
        metavar="{machine,bytecode,processor}",
        help="default: all; processor only with --against",
    )
    parser.add_argument("--against", metavar="REV", help="another commit, measured in a temporary worktree")
    parser.add_argument("--interface", choices=INTERFACES, action="append", help="of `machine`; default: all three")
    parser.add_argument("--load", choices=MACHINE_LOADS, action="append", help="of `machine`; default: all")
    parser.add_argument("--with", dest="counter", choices=COUNTERS, help="what counts machine instructions")
    parser.add_argument("--rounds", type=int, default=7, help="of `processor`")
    options = parser.parse_args()
    what = options.what or (kinds if options.against else kinds[:2])
    if "processor" in what and options.against is None:
        parser.error("processor time is measured in turns with another commit: name one, as in --against HEAD~1")
    counters = usable(HERE) if "machine" in what else []
    if "machine" in what and (not counters or (options.counter or counters[0]) not in counters):
        parser.error(f"{options.counter} does not work here" if counters else ADVICE)
    with ExitStack() as stack:
        base = None if options.against is None else stack.enter_context(commit(options.against))
        if "machine" in what:
            counter = options.counter or counters[0]
            say(machine_lines(counter, options.load or MACHINE_LOADS, options.interface or INTERFACES, base))
        if "bytecode" in what:
            say(bytecode_lines(base))
        if "processor" in what:
            assert base is not None
            say(processor_lines(base, options.rounds))


def say(lines: Iterator[str]) -> None:
    """Print each line when it is known."""
    for line in lines:
        print(line.rstrip(), flush=True)


if __name__ == "__main__":
    main()
