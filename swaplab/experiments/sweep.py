"""Sweeps: one column per point of a grid, by local processes or on a Dask cluster, kept as they come.

Every finished point is a line in `points.jsonl` of the output directory at once, so an interrupted sweep goes on where
it stood and a point that fails costs only itself. In the end the directory holds `results.parquet` and `results.csv` in
the order of the grid, whatever the order in which points were done.
"""

import csv
import gc
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from swaplab.experiments.grid import AXES, Grid, Point, key
from swaplab.experiments.tables import Request
from swaplab.experiments.usemem import run_usemem

SCHEMA = "swaplab.sweep/1"
JOURNAL = "points.jsonl"

Row = dict[str, Any]
Run = Callable[[Iterable[tuple[Point, Request]]], Iterator[tuple[Point, Row]]]
"""Runs points and yields each with its figures, or with {"error": ...}, in the order in which they are done."""

_one_simulation = threading.Lock()
"""Costs are installed per process, and a worker of a cluster may have several threads."""


class SweepError(Exception):
    """A sweep cannot go on; the message says why and what to do."""


def run_point(request: Request) -> Row:
    """One column's figures by their names in the published tables, or what went wrong; raises nothing."""
    try:
        with _one_simulation:
            result = run_usemem(request)
    except Exception as error:  # whatever it is, the other points are worth having
        return {"error": f"{type(error).__name__}: {error}"}
    return result.model_dump(by_alias=True, exclude={"name", "compressor", "patches"}) | {"error": None}


def run_locally(workers: int) -> Run:
    """Run points in `workers` processes of this machine. When one of these dies, the points under way fail with it."""

    def run(points: Iterable[tuple[Point, Request]]) -> Iterator[tuple[Point, Row]]:
        waiting = iter(points)
        while first := list(islice(waiting, workers)):
            yield from _until_a_process_dies(workers, first, waiting)

    return run


def _until_a_process_dies(
    workers: int, first: list[tuple[Point, Request]], waiting: Iterator[tuple[Point, Request]]
) -> Iterator[tuple[Point, Row]]:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running: dict[Future[Row], Point] = {pool.submit(run_point, request): point for point, request in first}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                point = running.pop(future)
                try:
                    yield point, future.result()
                except BrokenProcessPool:
                    yield point, {"error": "its process died (out of memory?); a smaller scale needs less"}
                    for other in running.values():
                        yield other, {"error": "its process died with another one's"}
                    return
                for following, request in islice(waiting, 1):
                    running[pool.submit(run_point, request)] = following


def run_on_dask(address: str) -> Run:
    """Run points on the workers of the Dask cluster at `address`, which need swaplab; SweepError if there is none."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise SweepError("Dask is not installed; pip install 'swaplab[dask]'") from None

    def run(points: Iterable[tuple[Point, Request]]) -> Iterator[tuple[Point, Row]]:
        failure: str | None = None
        try:
            client = Client(address, timeout="10s", set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            failure = f"no Dask scheduler answers at {address} ({error}); start one, or leave --dask out"
        if failure is not None:
            gc.collect()  # half a client: its end takes a lock, for ever if it comes while a cluster is being started
            raise SweepError(failure)
        with closing(client):
            asked = {client.submit(run_point, request, pure=False): point for point, request in points}
            for future in as_completed(list(asked), loop=client.loop):  # type: ignore[no-untyped-call]
                raised = future.exception()  # of the cluster: run_point itself raises nothing
                row = future.result() if raised is None else {"error": f"{type(raised).__name__}: {raised}"}
                yield asked[future], row

    return run


@dataclass(frozen=True, slots=True)
class Sweep:
    """A grid and the directory that its results go to."""

    grid: Grid
    directory: Path

    def run(self, run: Run, ran: Callable[[], object] = bool) -> list[Row]:
        """Run what is not there yet (failed points again), write the tables, and return all rows in the grid's order.

        SweepError when the directory holds another sweep's points: another testbed, scale or version made them.
        """
        done = self.done()
        missing = [(point, self.grid.request(point)) for point in self.grid.points() if key(point) not in done]
        with (self.directory / JOURNAL).open("a", encoding="utf-8") as journal:
            if not (self.directory / JOURNAL).read_text(encoding="utf-8").endswith("\n"):
                journal.write("\n")  # behind a line that was being written when the sweep was interrupted
            for point, row in run(missing):
                journal.write(json.dumps({"point": dict(point), "row": row}) + "\n")
                journal.flush()
                done[key(point)] = row
                ran()
        rows = [dict(point) | done[key(point)] for point in self.grid.points()]
        self._write_tables(rows)
        return rows

    def done(self) -> dict[str, Row]:
        """Points that were finished without an error, by key. Makes the directory and its journal if there is none."""
        self.directory.mkdir(parents=True, exist_ok=True)
        journal = self.directory / JOURNAL
        if not journal.exists():
            journal.write_text(json.dumps(self._header()) + "\n", encoding="utf-8")
        first, *lines = journal.read_text(encoding="utf-8").splitlines() or [""]
        if first != json.dumps(self._header()):
            raise SweepError(f"{journal} belongs to another sweep: {first[:200]}; name another directory")
        entries = [entry for line in lines if (entry := _entry(line)) is not None]
        return {key(tuple(e["point"].items())): e["row"] for e in entries if e["row"]["error"] is None}

    def _header(self) -> Row:
        """What all points of a directory must share."""
        return {
            "schema": SCHEMA,
            "swaplab": version("swaplab"),
            "testbed": self.grid.testbed.name,
            "machine_sha256": self.grid.testbed.machine_sha256,
            "scale": str(self.grid.scale),
        }

    def _write_tables(self, rows: list[Row]) -> None:
        import pyarrow as pa  # a second to import, and only now
        import pyarrow.parquet as pq

        names = list(dict.fromkeys(name for row in rows for name in row))
        names.sort(key=lambda name: (name not in AXES, name == "error"))
        full = [{name: row.get(name) for name in names} for row in rows]
        about = {"swaplab.sweep": json.dumps(self._header())}
        pq.write_table(pa.Table.from_pylist(full).replace_schema_metadata(about), self.directory / "results.parquet")
        with (self.directory / "results.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(full)


def _entry(line: str) -> Row | None:
    """A line of the journal; None for one that was being written when the sweep was interrupted."""
    try:
        entry: Row = json.loads(line)
    except ValueError:
        return None
    return entry
