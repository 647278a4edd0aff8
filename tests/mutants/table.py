"""The table of all packages; `rows/` holds it, a file for each subject. What is not listed here is not run."""

from tests.mutants.row import Row
from tests.mutants.rows import cache, iaa, nbd, parallel, requests, serial, sim, story, stress, units, zswap

TABLE: list[Row] = [
    *parallel.ROWS,
    *serial.ROWS,
    *requests.ROWS,
    *units.ROWS,
    *iaa.ROWS,
    *zswap.ROWS,
    *cache.ROWS,
    *nbd.ROWS,
    *sim.ROWS,
    *stress.ROWS,
    *story.ROWS,
]
