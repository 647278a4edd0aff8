"""`python -m tests.mutants.proof`: switch off each safeguard, and let the campaign that claims to cover it find that.

It writes `findings.json` beside this file, with a token of each finding, and the table in docs/campaigns.md. A test
repeats the tokens; where one is of a run that goes another way by now, it explores again. Exits with 1 and a line for
each safeguard whose loss was not found within 1,000 runs.
"""

import gc
import json
import multiprocessing
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from swaplab import stress
from swaplab.campaigns import SCENARIOS
from tests.mutants.mutate import mutated
from tests.mutants.safeguards import SAFEGUARDS, Safeguard

FILE = Path(__file__).with_name("findings.json")
PAGE = Path(__file__).parents[2] / "docs/campaigns.md"
TABLE = re.compile(r"(?<=<!-- proof -->\n).*(?=<!-- end of proof -->)", re.DOTALL)
MOST_RUNS = 1000
SEEDS = range(MOST_RUNS // 4)
"""Half of the runs are of these seeds, the others of the sweep."""


@dataclass(frozen=True)
class Found:
    """The loss of one safeguard, found in run number `run`."""

    rule: str
    campaign: str
    run: int
    did_not_hold: str
    token: str


def look_for(safeguard: Safeguard, seeds: range = SEEDS) -> Found | None:
    """Explore its campaign without it; None if that is not noticed within 1,000 runs."""
    with quietly(), mutated(safeguard.module, safeguard.function, safeguard.operator):
        finding = stress.explore(SCENARIOS[safeguard.campaign], seeds=seeds).finding
    if finding is None or finding.run_number > MOST_RUNS:
        return None
    return Found(safeguard.rule, safeguard.campaign, finding.run_number, told(finding.run.broken[0]), finding.token)


@contextmanager
def quietly() -> Iterator[None]:
    """A broken run leaves generators that can not be closed any more: let the collector have them now, unheard."""
    former, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        yield
    finally:
        gc.collect()
        sys.unraisablehook = former


def told(broken: str) -> str:
    """The beginning of what did not hold, without places and what else differs from process to process."""
    promise = re.match(r"(?:always|at rest): .*", broken)
    return promise[0] if promise else re.split(r"[:(]| at ", re.sub(r"<(\w+ \w+) at \w+>", r"\1", broken))[0]


def is_noticed(safeguard: Safeguard, token: str) -> bool:
    """Whether the run of that token fails without the safeguard, or at least another of its campaign does."""
    with quietly(), mutated(safeguard.module, safeguard.function, safeguard.operator):
        if stress.explore(SCENARIOS[safeguard.campaign], token=token).finding is not None:
            return True
    return look_for(safeguard) is not None


def read() -> list[Found]:
    """The findings as they were written last."""
    return [Found(**found) for found in json.loads(FILE.read_text())["findings"]]


def table(findings: Sequence[Found]) -> str:
    """The table of docs/campaigns.md."""
    lines = [f"| {found.rule} | {found.campaign} | {found.run} | {found.did_not_hold} |" for found in findings]
    head = ["| without this safeguard | the campaign | fails in run | since this did not hold |", "|---|---|---|---|"]
    return "\n".join([*head, *lines, ""])


def _all() -> Iterator[Found | None]:
    # Started afresh, since a mutant must never be seen by anybody else.
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(look_for, SAFEGUARDS)


def main() -> int:
    """Find all, and write what was found; the exit code."""
    findings = []
    for safeguard, found in zip(SAFEGUARDS, _all(), strict=True):
        print(f"{safeguard.rule}: {'not found' if found is None else f'run {found.run}'}", flush=True)
        findings += [] if found is None else [found]
    content = {"schema": "swaplab.findings/1", "findings": [asdict(found) for found in findings]}
    FILE.write_text(json.dumps(content, indent=1) + "\n")
    PAGE.write_text(TABLE.sub(lambda _: table(findings), PAGE.read_text()))
    return 0 if len(findings) == len(SAFEGUARDS) else 1


if __name__ == "__main__":
    sys.exit(main())
