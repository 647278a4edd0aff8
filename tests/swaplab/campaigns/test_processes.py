"""A run of a campaign is the same in every process, whatever its hash seed is."""

import os
import subprocess
import sys

import pytest

HASHES = """
from swaplab.campaigns import SCENARIOS
from swaplab.stress.run import run

scenarios = list(SCENARIOS.values())
for seed in range(200):
    print(run(scenarios[seed % len(scenarios)], seed).trace_hash)
"""


@pytest.mark.slow
def test_200_seeds_have_equal_hashes_in_two_processes() -> None:
    """The seeds are shared out among the campaigns."""
    one, other = (
        subprocess.run(
            [sys.executable, "-c", HASHES],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for hash_seed in ("1", "2")
    )
    assert one == other
    assert len(one) == 200 and len(set(one)) > 150
