"""Exploring in several processes finds what one process finds, and refuses what they would not find."""

import asyncio
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from swaplab import stress
from swaplab.stress.explore import begin
from swaplab.stress.processes import explore_in_processes
from swaplab.stress.zoo import BUGS

pytestmark = pytest.mark.slow

SCRIPT = textwrap.dedent("""
    import asyncio, os
    from swaplab import stress

    @stress.scenario(seeds=20)
    async def breaks(world):
        world.log(os.environ.get("PYTHONHASHSEED", "none"))
        await world.target(asyncio.sleep(0.01))
        raise LookupError

    @stress.scenario()
    async def dies(world):
        await asyncio.sleep(0.01)
        os._exit(3)
""")


def test_what_is_found_does_not_depend_on_how_many_look_for_it() -> None:
    scenarios = [scenario for bug in BUGS.values() for scenario in (bug.faulty, bug.correct)]
    alone = [stress.explore(scenario, seeds=range(3, 20), shrink=True) for scenario in scenarios]
    asked = [begin(scenario, range(3, 20)) for scenario in scenarios]
    seeds: list[int] = []
    explore_in_processes(asked, 2, smaller=True, ran=seeds.append)
    assert [one.report for one in asked] == alone
    assert sum(seeds) == sum(report.seeds for report in alone) < len(scenarios) * 17
    assert sum(report.ok for report in alone) == len(BUGS)


@pytest.mark.parametrize("options", [{}, {"policy": "shuffle", "seeds": range(9)}], ids=["as it is", "with options"])
def test_one_scenario_in_several_processes(options: dict[str, Any]) -> None:
    scenario = BUGS["made twice"].correct
    assert stress.explore(scenario, jobs=2, **options) == stress.explore(scenario, **options)


def test_what_has_no_name_in_a_module_is_refused() -> None:
    @stress.scenario()
    async def local(world: stress.World) -> None:
        await asyncio.sleep(1)

    with pytest.raises(ValueError, match="define it at the top of its module, or take jobs=1"):
        stress.explore(local, jobs=2)
    with pytest.raises(ValueError, match="take 1 at least"):
        stress.explore(local, jobs=0)


def ran(*arguments: str | Path, script: str = "") -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    return subprocess.run(
        [sys.executable, *arguments], input=script, env=environment, capture_output=True, text=True, timeout=100
    )


def script(tmp_path: Path, call: str) -> Path:
    file = tmp_path / "my program.py"
    file.write_text(f'{SCRIPT}\nif __name__ == "__main__":\n    {call}\n')
    return file


def test_a_scenario_of_a_script_works_and_workers_have_hash_seed_0(tmp_path: Path) -> None:
    done = ran(script(tmp_path, "print(stress.explore(breaks, jobs=2))"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("__main__:breaks fails with seed 0 (run 1, policy fifo)")
    assert "  0 ns, the scenario: 0\n" in done.stdout


def test_a_worker_that_dies_is_said_with_a_remedy(tmp_path: Path) -> None:
    done = ran(script(tmp_path, "stress.explore(dies, jobs=2)"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        'a process died (out of memory?); take fewer jobs, and call explore below `if __name__ == "__main__"` where a '
        "script does"
    )


def test_a_scenario_that_was_typed_in_is_refused() -> None:
    done = ran("-c", SCRIPT + "\nstress.explore(breaks, jobs=2)")
    assert done.stderr.splitlines()[-1] == (
        "ValueError: __main__:breaks is in no file that a worker process can read: save it in one, or take jobs=1"
    )
