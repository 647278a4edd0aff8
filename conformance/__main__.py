"""Run every suite of `suites.toml`, print what came of it, and hold docs/conformance.md to it.

Status 1 when a test fails, when one that is listed as refused does not refuse, or when the docs say otherwise.
"""

import argparse
import platform
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

from .suite import HERE, Ran, Suite, read_suites, run

DOCS = HERE.parent / "docs" / "conformance.md"
BEGIN, END = "<!-- table: written by `make conformance` -->\n", "<!-- end of the table -->\n"
COUNTS = ("tests", "on a virtual loop", "passed", "refused", "differs", "skipped", "left out")
AT_ONCE = 2
"""Suites that run beside each other."""


def main() -> int:
    """Run, print, compare."""
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    parser.add_argument("modules", nargs="*", help="run these only, and leave the docs alone")
    parser.add_argument("--only", metavar="TEST", default="", help="of one module, run this test only")
    parser.add_argument("--write", action="store_true", help="write the table into the docs instead of comparing it")
    asked = parser.parse_args()
    python, suites = read_suites()
    unknown = set(asked.modules) - {suite.module for suite in suites}
    if unknown or (asked.only and len(asked.modules) != 1):
        parser.error(f"no suite is {', '.join(unknown)}; see suites.toml" if unknown else "--only goes with one module")
    if find_spec("test.test_asyncio") is None:
        print("This Python comes without its own tests. On Debian and Ubuntu: apt install libpython3-testsuite")
        return 2
    if not platform.python_version().startswith(f"{python}."):
        print(
            f"The lists are written for Python {python}, and this is {platform.python_version()}: expect differences."
        )
    suites = [suite for suite in suites if not asked.modules or suite.module in asked.modules]
    runs = run_all(suites, lambda suite: run(suite, asked.only))
    faults = [fault for ran in runs for fault in ran.faults]
    if not asked.modules and not faults:
        faults = hold_the_docs_to(table(runs), asked.write)
    for fault in faults:
        print(f"\n{fault}", file=sys.stderr)
    passed = sum(ran.counted.get("passed", 0) for ran in runs)
    failing = [ran.suite.module for ran in runs if ran.faults]
    print(f"\n{passed} passed, {len(faults)} failed{', in ' if failing else ''}{', '.join(failing)}")
    return int(bool(faults))


def run_all(suites: list[Suite], run_one: Callable[[Suite], Ran]) -> list[Ran]:
    """Run the suites, some beside each other, with a line for each that has ended."""
    runs = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for ran in pool.map(run_one, suites):
            said = [f"{count} {what}" for what, count in ran.counted.items() if count]
            said += [f"FAILED: {len(ran.faults)}, see below"] * bool(ran.faults)
            print(f"{ran.suite.package} {ran.suite.version}, {ran.suite.module}: {', '.join(said)}", flush=True)
            runs.append(ran)
    return runs


def table(runs: list[Ran]) -> str:
    """The runs as a table of Markdown."""
    rows = [("package", "version", "module", *COUNTS), ("---",) * 3 + ("---:",) * len(COUNTS)]
    for ran in runs:
        suite = ran.suite
        rows.append((suite.package, suite.version, f"`{suite.module}`", *(str(ran.counted[what]) for what in COUNTS)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def hold_the_docs_to(wanted: str, write: bool) -> list[str]:
    """Compare the table in the docs with what ran, or write it there. A table of another Python's tests stays."""
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    said, _, after = rest.partition(END)
    if write:
        DOCS.write_text(f"{before}{BEGIN}\n{wanted}\n{END}{after}", encoding="utf-8")
    elif f"| CPython | {platform.python_version()} |" not in said:
        print(f"docs/{DOCS.name} is of another Python; nothing to compare")
    elif said.strip() != wanted.strip():
        return [f"docs/{DOCS.name} says otherwise; `make conformance CONFORMANCE=--write` brings it up to date"]
    return []


sys.exit(main())
