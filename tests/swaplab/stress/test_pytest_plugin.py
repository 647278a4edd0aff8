"""Scenarios as tests of a suite, each suite in a process of its own: virtual time may not run inside of a loop."""

import os
import re
import textwrap

import pytest

SUITE = textwrap.dedent("""
    import asyncio
    from swaplab import stress

    @stress.scenario(seeds=3)
    async def holds(world):
        async with world.clients(lambda: asyncio.sleep(1), n=2):
            pass

    @stress.scenario(seeds=3)
    async def breaks(world):
        world.always(lambda: asyncio.get_running_loop and not state, "clean state")
        state = []
        async def client():
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                state.append(1)
                raise
        async with world.clients(client, n=2):
            pass
""")


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyfile(test_mine=SUITE)
    return pytester


def ran(suite: pytest.Pytester, *options: str) -> pytest.RunResult:
    return suite.runpytest_subprocess("-p", "swaplab.stress.pytest", *options)


def test_every_scenario_is_a_test_whatever_its_name(suite: pytest.Pytester) -> None:
    result = ran(suite)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["test_mine:breaks fails with seed 0*", "cancelled: target 0 after event 1, once", "*always: clean state"]
    )


def test_the_command_that_is_printed_repeats_the_finding(suite: pytest.Pytester) -> None:
    printed = str(ran(suite).stdout)
    command = re.search(
        r"replay: PYTHONHASHSEED=0 pytest -p swaplab.stress.pytest (\S+) --stress-replay (\S+)", printed
    )
    assert command is not None
    result = ran(suite, command[1], "--stress-replay", command[2])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["test_mine:breaks fails with seed 0 (run 1,*", "*always: clean state"])
    ran(suite, "--stress-replay", command[2]).assert_outcomes(failed=1, skipped=1)


def test_a_finding_is_tried_again_with_hash_seed_0(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.makepyfile(
        test_mine=SUITE
        + textwrap.dedent("""
            import os

            @stress.scenario(seeds=2, cancel=False)
            async def depends(world):
                await asyncio.sleep(1)
                assert os.environ.get("PYTHONHASHSEED") == "0"
        """)
    )
    monkeypatch.delenv("PYTHONHASHSEED")
    printed = str(ran(suite).stdout)
    assert os.environ.get("PYTHONHASHSEED") is None
    assert printed.count("It depends on the hash seed") == 1
    assert printed.index("test_mine:depends fails") < printed.index("It depends on the hash seed")


def test_seeds_and_policy_replace_those_of_the_scenarios(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_mine="""
            import asyncio
            from swaplab import stress

            @stress.scenario(cancel=False)
            async def scenario(world):
                print("seed", world.random.random())
                await asyncio.sleep(1)
        """
    )
    result = ran(suite, "-s", "--stress-seeds", "5:8", "--stress-policy", "pct")
    result.assert_outcomes(passed=1)
    assert str(result.stdout).count("seed 0.") == 3


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--stress-seeds=8:5", "seeds are FROM:TO"),
        ("--stress-policy=lifo", "invalid choice: 'lifo'"),
        ("--stress-replay=stress0:abc", "begins with stress1:"),
    ],
)
def test_options_that_can_not_be_are_refused(suite: pytest.Pytester, option: str, said: str) -> None:
    result = ran(suite, option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in str(result.stderr)


def test_fixtures_are_not_supported(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_mine="""
            import pytest
            from swaplab import stress

            @stress.scenario()
            @pytest.mark.usefixtures("tmp_path")
            async def scenario(world): ...
        """
    )
    result = ran(suite)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*fixtures and parameters are not supported*"])
    suite.makepyfile(test_mine="from swaplab import stress\n@stress.scenario()\nasync def f(world, tmp_path): ...")
    result = ran(suite)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*takes one argument*no fixtures*"])


def test_a_long_token_is_in_a_file_that_the_command_names(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_mine=SUITE.replace("breaks", "breaks_and_has_such_a_long_name_that_nobody_copies_its_token"))
    command = re.search(r"(test_mine\S+) --stress-replay (\S+stress-\w+\.token)", str(ran(suite).stdout))
    assert command is not None
    ran(suite, command[1], "--stress-replay", command[2]).assert_outcomes(failed=1)
