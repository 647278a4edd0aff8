"""A run of a campaign is the same in every process, whatever its hash seed is."""

import os
import subprocess
import sys

import pytest

from swaplab.campaigns import SCENARIOS
from swaplab.stress.run import run


def hashes() -> list[str]:
    """200 seeds, shared out among the campaigns."""
    scenarios = list(SCENARIOS.values())
    return [run(scenarios[seed % len(scenarios)], seed).trace_hash for seed in range(200)]


PROGRAM = f"from {__name__} import hashes; print(*hashes())"


@pytest.mark.slow
def test_200_seeds_have_equal_hashes_in_two_processes() -> None:
    here = hashes()
    other = "0" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    there = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONHASHSEED": other},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split() == here
    assert len(here) == 200 and len(set(here)) > 150
