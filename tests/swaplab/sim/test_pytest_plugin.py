"""The plugin in a suite of its own: with pytest-asyncio in both modes, and without it."""

import pytest

pytestmark = pytest.mark.slow

SUITE = """
import asyncio
import time
import pytest

@pytest.fixture
def delay():
    return 3600

@pytest.mark.virtual_time(wall_clock=True)
async def test_the_wall_clock(delay):
    assert (time.time(), time.monotonic()) == (1735689600, 0)
    await asyncio.sleep(delay)
    assert (time.time(), time.monotonic()) == (1735689600 + delay, delay)

@pytest.mark.virtual_time
async def test_an_hour(delay):
    await asyncio.sleep(delay)
    assert type(asyncio.get_running_loop()).__name__ == "VirtualLoop"
    assert asyncio.get_running_loop().time() == delay

@pytest.mark.virtual_time
@pytest.mark.parametrize("number", [1, 2])
async def test_parameters(number):
    await asyncio.sleep(number)

@pytest.mark.virtual_time
async def test_a_deadlock():
    await asyncio.Event().wait()

@pytest.mark.virtual_time(max_time_ns=10)
async def test_a_bound():
    await asyncio.sleep(1)

@pytest.mark.virtual_time
class TestMarked:
    async def test_a_method(self, delay):
        await asyncio.sleep(delay)

    def test_a_plain_method_beside_it(self):
        pass
"""

MISTAKES = """
import unittest
import pytest

@pytest.mark.virtual_time(100)
async def test_a_number():
    pass

@pytest.mark.virtual_time(max_event=100)
async def test_a_misspelt_bound():
    pass

@pytest.mark.virtual_time(wall_clock="yes")
async def test_a_wall_clock_that_is_text():
    pass

@pytest.mark.virtual_time(max_events="100")
async def test_a_bound_that_is_text():
    pass

@pytest.mark.virtual_time
def test_a_plain_function():
    pass

class TestOldStyle(unittest.IsolatedAsyncioTestCase):
    @pytest.mark.virtual_time
    async def test_a_method_of_unittest(self):
        pass
"""
SAID = [
    "*virtual_time of test_a_number: its options have names; write max_events=N or max_time_ns=N, not 100",
    "*virtual_time of test_a_misspelt_bound: there is no option max_event; there are max_events, max_time_ns and *",
    "*virtual_time of test_a_bound_that_is_text: max_events is an integer above 0, or None for no bound, not '100'",
    "*virtual_time of test_a_wall_clock_that_is_text: wall_clock is True or False, not 'yes'",
    "*virtual_time of test_a_plain_function: it is no coroutine function, so no loop runs it; make it async, *",
    "*virtual_time of test_a_method_of_unittest: unittest runs coroutines on a loop of its own; make it a function*",
]

OTHERS = """
import asyncio
import pytest

@pytest.fixture
async def base():
    return type(asyncio.get_running_loop()).__name__

async def test_unmarked(base):
    assert base != "VirtualLoop"

@pytest.mark.virtual_time
async def test_a_coroutine_fixture(base):
    assert base == "VirtualLoop"
"""

SCOPE = ["-o", "asyncio_default_fixture_loop_scope=function"]
STRICT = [*SCOPE, "--asyncio-mode=strict"]
AUTO = [*SCOPE, "--asyncio-mode=auto"]

SHARED = """
import asyncio
import pytest
import pytest_asyncio

made = []

@pytest_asyncio.fixture(loop_scope="{scope}", scope="{scope}")
async def server():
    made.append(asyncio.get_running_loop())
    await asyncio.sleep(10)
    yield len(made)
    await asyncio.sleep(1)

@pytest.mark.asyncio(loop_scope="{scope}")
class TestShared:
    @pytest.mark.virtual_time
    async def test_first(self, server):
        await asyncio.sleep(5)
        assert asyncio.get_running_loop() is made[0]
        assert asyncio.get_running_loop().time() == 15

    @pytest.mark.virtual_time
    async def test_second(self, server):
        assert server == 1
        assert asyncio.get_running_loop() is made[0]
        assert asyncio.get_running_loop().time() == 15

    @pytest.mark.virtual_time(max_events=100)
    async def test_with_another_bound(self, server):
        assert asyncio.get_running_loop() is made[-1] is not made[0]
        assert asyncio.get_running_loop().time() == 10
"""

GIVEN = """
import asyncio
import pytest
from hypothesis import given, strategies as st

took = []

@pytest.fixture(scope="module")
def unit():
    return 60

@pytest.mark.virtual_time(max_events=1000)
@given(hours=st.integers(1, 10))
async def test_hours(unit, hours):
    assert asyncio.get_running_loop().max_events == 1000
    await asyncio.sleep(hours * unit * 60)
    assert asyncio.get_running_loop().time() >= hours * 3600
    took.append(hours)

def test_it_was_run():
    assert len(took) >= 10

@pytest.mark.virtual_time
@given(hours=st.integers(1, 10))
async def test_that_fails(hours):
    await asyncio.sleep(hours)
    assert hours < 7
"""

SPINS = """
import asyncio
import pytest

@pytest.mark.virtual_time
async def test_spins():
    while True:
        await asyncio.sleep(0)

@pytest.mark.virtual_time(max_events={bound})
async def test_takes_its_time():
    for _ in range(5000):
        await asyncio.sleep(0)
"""

ANYIO = """
import asyncio
import pytest

@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_anyio():
    await asyncio.sleep(3600)
"""

ANYIO_REMEDY = """
import anyio
import pytest
from swaplab.sim import VirtualLoop

@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": VirtualLoop}

@pytest.mark.anyio
async def test_anyio():
    await anyio.sleep(3600)
    assert anyio.current_time() == 3600
"""

ERRORS = ["*DeadlockError: no callback*", "*test_a_deadlock*for Event.wait of *", "*TimeBoundError: *past the 10 ns*"]


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\nfilterwarnings = ['error']")
    pytester.makepyfile(test_suite=SUITE)
    return pytester


@pytest.mark.parametrize("asyncio_plugin", [["-p", "no:asyncio"], STRICT, AUTO])
def test_marked_tests_run_in_virtual_time(suite: pytest.Pytester, asyncio_plugin: list[str]) -> None:
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", "--strict-markers", *asyncio_plugin)
    result.assert_outcomes(passed=6, failed=2)
    result.stdout.fnmatch_lines_random(ERRORS)


@pytest.mark.parametrize("asyncio_plugin", [["-p", "no:asyncio"], STRICT, AUTO])
def test_a_marker_that_would_not_do_what_it_says_is_an_error(suite: pytest.Pytester, asyncio_plugin: list[str]) -> None:
    suite.makepyfile(test_mistakes=MISTAKES)
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", *asyncio_plugin, "test_mistakes.py")
    result.assert_outcomes(errors=6)
    result.stdout.fnmatch_lines_random(SAID)
    result.stdout.no_fnmatch_line("*never awaited*")


def test_the_others_stay_where_they_were(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_others=OTHERS)
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", *AUTO, "test_others.py")
    result.assert_outcomes(passed=2)


def test_the_hook_of_a_suite_decides_about_the_others(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_others=OTHERS)
    suite.makeconftest(
        "import asyncio\n"
        "def pytest_asyncio_loop_factories():\n"
        "    return {'one': asyncio.SelectorEventLoop, 'two': asyncio.SelectorEventLoop}\n"
    )
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", *AUTO, "test_others.py")
    result.assert_outcomes(passed=3)


def test_the_marker_explains_itself(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", *AUTO, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.virtual_time(max_events=..., max_time_ns=None, wall_clock=False): *"])


def test_without_the_plugin_the_marker_is_unknown(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("-p", "no:asyncio", "--strict-markers")
    result.assert_outcomes(errors=1)


@pytest.mark.parametrize("scope", ["class", "module", "session"])
def test_tests_of_a_scope_share_the_loop_and_its_fixtures(suite: pytest.Pytester, scope: str) -> None:
    suite.makepyfile(test_shared=SHARED.format(scope=scope))
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", *STRICT, "test_shared.py")
    result.assert_outcomes(passed=3)


@pytest.mark.parametrize("asyncio_plugin", [["-p", "no:asyncio"], STRICT, AUTO])
def test_each_example_of_hypothesis_is_run_in_virtual_time(suite: pytest.Pytester, asyncio_plugin: list[str]) -> None:
    suite.makepyfile(test_given=GIVEN)
    ours_alone = ("-p", "no:schemathesis", "-p", "swaplab.sim.pytest")  # schemathesis empties what Hypothesis prints
    result = suite.runpytest_subprocess(*ours_alone, *asyncio_plugin, "test_given.py")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*hours=7*"])


@pytest.mark.parametrize("asyncio_plugin", [["-p", "no:asyncio"], STRICT])
def test_what_spins_ends_at_the_bound_of_the_ini_file(suite: pytest.Pytester, asyncio_plugin: list[str]) -> None:
    suite.makepyfile(test_spins=SPINS.format(bound=None))
    bound = ["-o", "virtual_time_max_events=2_000"]
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", *asyncio_plugin, *bound, "test_spins.py")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*EventBoundError: 2000 events and no end*"])


def test_the_default_bound_is_ten_million(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_bound="import asyncio, pytest\n"
        "@pytest.mark.virtual_time\n"
        "async def test_bound():\n"
        "    assert asyncio.get_running_loop().max_events == 10_000_000\n"
    )
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", *AUTO, "test_bound.py")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("said", ["0", "many"])
def test_a_bound_of_the_ini_file_that_is_none_is_refused(suite: pytest.Pytester, said: str) -> None:
    result = suite.runpytest_subprocess("-p", "swaplab.sim.pytest", *AUTO, "-o", f"virtual_time_max_events={said}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*virtual_time_max_events is an integer above 0, not '{said}'"])


@pytest.mark.parametrize("asyncio_plugin", [["-p", "no:asyncio"], STRICT])
def test_a_test_of_anyio_is_an_error_that_says_what_works(suite: pytest.Pytester, asyncio_plugin: list[str]) -> None:
    suite.makepyfile(test_anyio=ANYIO, test_remedy=ANYIO_REMEDY)
    plugins = ["-p", "swaplab.sim.pytest", "-p", "anyio", *asyncio_plugin]
    result = suite.runpytest_subprocess(*plugins, "test_anyio.py")
    assert result.parseoutcomes().get("passed", 0) == 0
    result.stdout.fnmatch_lines(["*virtual_time of test_anyio*: the plugin of anyio runs it on a loop of its own; *"])
    suite.runpytest_subprocess(*plugins, "test_remedy.py").assert_outcomes(passed=1)
