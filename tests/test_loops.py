"""The rules of ``conftest.py`` hold, and the checks behind them can fail.

With pytest-xdist every worker collects everything, so what is said of all tests that were made holds in each of them.
"""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st
from pytest_asyncio import is_async_test

from swaplab.sim import VirtualLoop

# Written out: were it read from conftest, a loop lost there would not be missed here.
EVERY_LOOP = {"stock", "uvloop", "virtual"}
REAL_LOOPS = {"stock", "uvloop"}

HERE = Path(__file__).parent


def without_loop(item: pytest.Function, loop: str | None) -> str:
    """What all items of one test have in common; its loop comes first in the brackets of its name."""
    function, _, parameters = item.name.partition("[")
    assert item.parent is not None
    return f"{item.parent.nodeid}::{function}[{parameters.removeprefix(loop or '').removeprefix('-')}"


def test_every_async_test_is_made_once_per_loop(async_tests_made: dict[pytest.Function, str | None]) -> None:
    loops: dict[str, list[str | None]] = {}
    threaded = set()
    for item, loop in async_tests_made.items():
        test = without_loop(item, loop)
        loops.setdefault(test, []).append(loop)
        if item.get_closest_marker("threads"):
            threaded.add(test)
    assert loops, "this file alone has async tests"
    wrong = {
        test: made
        for test, made in loops.items()
        if Counter(made) != Counter(REAL_LOOPS if test in threaded else EVERY_LOOP)
    }
    assert not wrong


def test_every_selected_async_test_runs_once(
    request: pytest.FixtureRequest, async_tests_made: dict[pytest.Function, str | None]
) -> None:
    selected = Counter(item for item in request.session.items if is_async_test(item))
    assert set(selected) <= set(async_tests_made)
    assert not [item for item, times in selected.items() if times > 1]


async def test_a_loop_is_what_its_name_says(request: pytest.FixtureRequest) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, uvloop.Loop) == ("[uvloop" in request.node.name)
    assert isinstance(loop, VirtualLoop) == ("[virtual" in request.node.name)


async def test_the_stock_loop_is_in_debug_mode(request: pytest.FixtureRequest) -> None:
    assert asyncio.get_running_loop().get_debug() == ("[stock" in request.node.name)


@pytest.mark.slow
async def test_debug_mode_spares_slow_tests() -> None:
    assert not asyncio.get_running_loop().get_debug()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("letter", ["a", "stock"])
async def test_parameters_multiply_with_loops(number: int, letter: str) -> None:
    await asyncio.sleep(0)


@given(st.integers())
async def test_properties_run_on_loops(number: int) -> None:
    await asyncio.sleep(0)


@pytest.fixture
def house(pytester: pytest.Pytester) -> pytest.Pytester:
    """A small suite somewhere else, under the same rules."""
    pytester.makepyprojecttoml((HERE.parent / "pyproject.toml").read_text())
    tests = pytester.mkdir("tests")
    for name in ("conftest.py", "test_loops.py"):
        (tests / name).write_text((HERE / name).read_text().replace("THREAD_GRACE_S = 10.0", "THREAD_GRACE_S = 0.3"))
    return pytester


MATRIX = "tests/test_loops.py::test_every_async_test_is_made_once_per_loop"


@pytest.mark.slow
@pytest.mark.parametrize(
    "selection", [["-k", "made_once or stock"], [MATRIX, f"{HERE.name}/test_more.py::test_it[stock]"]]
)
def test_the_matrix_is_whole_in_a_part_of_the_suite(house: pytest.Pytester, selection: list[str]) -> None:
    (house.path / "tests/test_more.py").write_text("async def test_it(): pass")
    result = house.runpytest_subprocess(*selection)
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] >= 2


@pytest.mark.slow
@pytest.mark.parametrize("option", [[], ["--loop", "stock", "-n", "1"]], ids=["alone", "one loop, in a worker"])
def test_a_lost_loop_is_noticed(house: pytest.Pytester, option: list[str]) -> None:
    conftest = house.path / "tests/conftest.py"
    conftest.write_text(conftest.read_text().replace('    "uvloop": uvloop.new_event_loop,\n', ""))
    house.runpytest_subprocess(MATRIX, *option).assert_outcomes(failed=1)


@pytest.mark.slow
def test_one_loop_may_be_chosen_and_plain_tests_run_with_it(house: pytest.Pytester) -> None:
    (house.path / "tests/test_more.py").write_text("async def test_it(): pass\ndef test_plain(): pass")
    result = house.runpytest_subprocess("--loop", "virtual", "-v", "tests/test_more.py", MATRIX)
    result.assert_outcomes(passed=3, deselected=2)
    result.stdout.fnmatch_lines(["*test_it[[]virtual]*", "*test_plain*"])


@pytest.mark.slow
def test_a_test_kept_from_a_loop_is_noticed(house: pytest.Pytester) -> None:
    (house.path / "tests/test_more.py").write_text(
        "import pytest\n@pytest.mark.asyncio(loop_factories=['uvloop'])\nasync def test_it(): pass"
    )
    house.runpytest_subprocess(MATRIX, "tests/test_more.py").assert_outcomes(failed=1, passed=1)


GROUP = """
import os, pytest

@pytest.mark.xdist_group("together")
@pytest.mark.parametrize("number", range(6))
def test_it(number):
    print("in", os.environ["PYTEST_XDIST_WORKER"])
"""


@pytest.mark.slow
def test_a_group_stays_in_one_worker(house: pytest.Pytester) -> None:
    """Else each worker would make the fixtures that the group shares."""
    (house.path / "tests/test_group.py").write_text(GROUP)
    result = house.runpytest_subprocess("-n", "2", "--dist", "loadgroup", "-rP", "tests/test_group.py")
    result.assert_outcomes(passed=6)
    assert len({line for line in result.outlines if line.startswith("in gw")}) == 1


LEAKS = """
import asyncio, threading

stop = threading.Event()

async def test_a_task():
    global task
    task = asyncio.create_task(asyncio.sleep(3600))

async def test_a_thread():
    threading.Thread(target=stop.wait, daemon=True).start()

async def test_an_exception_in_a_callback():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)

async def test_a_timer():
    asyncio.get_running_loop().call_later(3600, print)

async def test_nothing():
    await asyncio.to_thread(stop.is_set)
"""


@pytest.mark.slow
def test_what_outlives_a_test_is_noticed(house: pytest.Pytester) -> None:
    (house.path / "tests/test_leaks.py").write_text(LEAKS)
    result = house.runpytest_subprocess("tests/test_leaks.py")
    # Each passes by itself; the error comes after it. uvloop does not show its timers.
    result.assert_outcomes(passed=15, errors=11)
    result.stdout.fnmatch_lines_random(
        ["*tasks outlived*", "*threads outlived*", "*timers outlived*", "*ZeroDivisionError*"]
    )
    assert "ERROR tests/test_leaks.py::test_nothing" not in result.stdout.str()


@pytest.mark.slow
@pytest.mark.parametrize(("marker", "program"), [("browser", "chromium"), ("nbd", "nbdcopy")])
@pytest.mark.parametrize("required", ["", "browser,nbd"])
def test_what_is_not_here_skips_a_test_or_fails_it_where_it_is_required(
    house: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, marker: str, program: str, required: str
) -> None:
    (house.path / "tests/test_more.py").write_text(f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass")
    monkeypatch.setenv("PATH", str(house.path))
    monkeypatch.setenv("SWAPLAB_REQUIRE", required)
    result = house.runpytest_subprocess("tests/test_more.py")
    result.assert_outcomes(**({"errors": 1} if required else {"skipped": 1}))
    result.stdout.fnmatch_lines([f"*there is no {program}*: apt install *"])
