"""The command line with simulations that never end: each says who it is in the directory `BEGUN`, and then sleeps.

A script, for worker processes run it again, up to its last lines: so theirs are endless, too.
"""

import os
import time
from pathlib import Path

from swaplab.cli import main
from swaplab.experiments import sweep, usemem
from swaplab.experiments.tables import Request
from swaplab.experiments.usemem import UsememColumn


def run_usemem(request: Request) -> UsememColumn:
    """The stand-in, which workers find under the name of what it stands for."""
    (Path(os.environ["BEGUN"]) / str(os.getpid())).touch()
    while True:
        time.sleep(60)


run_usemem.__module__ = usemem.__name__
usemem.run_usemem = run_usemem
vars(sweep)["run_usemem"] = run_usemem

if __name__ == "__main__":
    main()
