"""A run is the same in every process, whatever its hash seed is."""

import os
import subprocess
import sys

import pytest

HASHES = """
from swaplab.stress.run import run
from swaplab.stress.zoo import BUGS

for bug in BUGS.values():
    for policy in ("fifo", "shuffle", "pct"):
        for seed in range(200):
            print(run(bug.correct, seed, None, policy).trace_hash)
"""


def hashes(hash_seed: str) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", HASHES],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.split()


@pytest.mark.slow
def test_200_seeds_have_equal_hashes_in_two_processes() -> None:
    one = hashes("1")
    assert one == hashes("2")
    assert len(one) == 8 * 3 * 200 and len(set(one)) > len(one) / 2
