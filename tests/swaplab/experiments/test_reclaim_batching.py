"""Reclaim batching: long chains over the real driver, every page done, and what they bring falls off as it must."""

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swaplab.cli.commands import app
from swaplab.experiments.reclaim_batching import Finding, ReclaimReport, Trial, run_trial
from swaplab.model.testbed import load_testbed

pytestmark = pytest.mark.slow

TESTBED = "spr-2s-8iaa"
ONE = Trial(TESTBED, processes=1, chain=1, pages=64)


def test_a_page_alone_takes_what_the_model_says_of_each_step() -> None:
    testbed = load_testbed(TESTBED)
    steps = ["iaa.submit_ns", "iaa.pipeline_ns", "iaa.service_ns", "iaa.reap_ns"]
    steps += ["mm.reclaim_ns", "zswap.lru_hold_ns", "zswap.store_page_ns"]
    assert run_trial(ONE).ns_per_page == pytest.approx(sum(testbed.ns(step) for step in steps), rel=0.01)


def test_longer_chains_hide_the_devices_latency_and_nothing_else() -> None:
    took = [run_trial(replace(ONE, chain=chain)).ns_per_page for chain in (1, 2, 8, 32)]
    assert took == sorted(took, reverse=True)
    testbed = load_testbed(TESTBED)
    own = ["iaa.submit_ns", "iaa.reap_ns", "mm.reclaim_ns", "zswap.lru_hold_ns", "zswap.store_page_ns"]
    assert took[-1] > sum(testbed.ns(step) for step in own)


def test_the_shared_lock_binds_many_processes_however_long_their_chains_are() -> None:
    findings = [run_trial(Trial(TESTBED, processes=30, chain=chain, pages=256)) for chain in (1, 16)]
    bound = 1e9 / load_testbed(TESTBED).ns("zswap.lru_hold_ns")
    assert all(0.8 * bound < finding.pages_per_s <= bound for finding in findings)
    assert [finding.failed_pages for finding in findings] == [0, 0]


def test_a_chain_that_does_not_divide_the_pages_ends_with_a_shorter_one() -> None:
    finding = run_trial(replace(ONE, chain=7, pages=16))
    assert finding.failed_pages == 0
    assert 0 < finding.engines_busy < 1


def test_chains_that_together_outnumber_the_descriptors_starve_each_other() -> None:
    fits, starved = (run_trial(Trial(TESTBED, processes, 32, devices=2, pages=256)) for processes in (2, 8))
    assert starved.failed_pages == 0
    assert starved.engines_busy < 0.75 < 0.95 < run_trial(Trial(TESTBED, 8, 8, devices=2, pages=256)).engines_busy
    assert starved.pages_per_s < 2 * fits.pages_per_s, "eight processes with what two need: 64 descriptors"


def test_more_processes_than_cpus_share_them() -> None:
    nr_cpus = load_testbed(TESTBED).topology.nr_cpus
    assert run_trial(Trial(TESTBED, processes=nr_cpus + 1, chain=1, pages=1)).failed_pages == 0


def made(*paces: tuple[int, float]) -> ReclaimReport:
    findings = [
        Finding(processes=2, chain=chain, pages_per_s=pace, ns_per_page=1, engines_busy=0.5, failed_pages=0)
        for chain, pace in paces
    ]
    return ReclaimReport(swaplab="0", testbed=TESTBED, devices=8, findings=tuple(findings))


@pytest.mark.parametrize(
    ("paces", "sentence"),
    [
        (
            ((1, 100.0), (2, 150.0), (4, 151.0)),
            "2 processes: chains of 2 give +50% over chains of 1; longer ones no more.",
        ),
        (((1, 100.0), (2, 101.0)), "2 processes: longer chains than 1 give nothing."),
        (((8, 100.0), (16, 104.0)), "2 processes: chains of 16 give +4% over chains of 8."),
        (
            ((8, 956.0), (32, 621.0)),
            "2 processes: longer chains than 8 give nothing, and those of 32 lose 35%.",
        ),
        (
            ((1, 100.0), (8, 150.0), (16, 140.0), (32, 75.0)),
            "2 processes: chains of 8 give +50% over chains of 1; longer ones no more, and those from 16 on lose"
            " up to 50%.",
        ),
        (((8, 100.0),), "2 processes: no other length than 8 was tried."),
    ],
)
def test_a_sentence_says_how_long_is_long_enough(paces: tuple[tuple[int, float], ...], sentence: str) -> None:
    assert made(*paces).sentence(2) == sentence


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    file = tmp_path / "reclaim.json"
    args = ["reclaim-batching", "--procs", "1", "--chains", "1,8", "--workers", "1", "--json", str(file)]
    result = CliRunner().invoke(app, args, env={"COLUMNS": "100"})
    assert result.exit_code == 0, result.output
    assert "1 process: chains of 8 give +" in result.output
    report = ReclaimReport.model_validate_json(file.read_text())
    assert [finding.chain for finding in report.findings] == [1, 8]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--procs", "x"], "such as 8 or 1,8,16"),
        (["--chains", "0"], "not '0'"),
        (["--chains", "8,33"], "from 1 to 32 such as 8 or 1,8,16, not '8,33'"),
    ],
)
def test_bad_arguments_are_refused_with_the_remedy(args: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["reclaim-batching", *args], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert message in result.output
