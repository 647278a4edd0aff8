"""`python -m tests.mutants [WORD ...]`: break each rule of the table, and see that the tests named for it notice.

With words, only the rows whose rule contains one of them. Exits with 1 and a line for each row that is not held.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.mutants.judge import complaints
from tests.mutants.table import TABLE


def main(words: Sequence[str]) -> int:
    """Share the rows out among as many processes as there are processors; the exit code."""
    began = time.monotonic()
    rows = [row for row in TABLE if not words or any(word in row.rule for word in words)]
    if not rows:
        print(f"no rule contains {' or '.join(words)}", file=sys.stderr)
        return 2
    workers = min(os.cpu_count() or 1, len(rows))
    shares = [rows[at::workers] for at in range(workers)]
    # Started afresh, since a mutant must never be seen by anybody else.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        found = [line for share in pool.map(complaints, shares) for line in share]
    for line in found:
        print(line)
    print(f"{len(rows)} mutants, {len(found)} complaints, {time.monotonic() - began:.0f} s")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
