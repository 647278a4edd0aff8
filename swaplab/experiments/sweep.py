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
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from swaplab.experiments.grid import Grid, Point, Value, key
from swaplab.experiments.tables import Request, TableColumn
from swaplab.experiments.usemem import UsememColumn, run_usemem
from swaplab.memory import sharing
from swaplab.model.json_file import parse_json
from swaplab.process_died import ProcessDiedError
from swaplab.worker_processes import in_processes

SCHEMA = "swaplab.sweep/1"
JOURNAL = "points.jsonl"
TABLES = ("results.parquet", "results.csv")
MOST_BYTES = 1 << 30
"""Far more than the largest grid has."""

FIGURES: dict[str, Any] = {
    field.alias or name: field.annotation
    for name, field in UsememColumn.model_fields.items()
    if name not in TableColumn.model_fields
}
"""What a point gives, by the names in the published tables, with their types."""

Row = dict[str, Any]
Rows = Iterator[tuple[Point, Row]]
Run = Callable[[Iterable[tuple[Point, Request]]], AbstractContextManager[Rows]]
"""Runs points and yields each with its figures, or with {"error": ...}, in the order in which they are done.

Entering it fails when nothing can be run, and whoever leaves early ends what is being run.
"""

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
    return result.model_dump(by_alias=True, exclude=set(TableColumn.model_fields)) | {"error": None}


def run_locally(workers: int) -> Run:
    """Run points in `workers` processes of this machine. When one of these dies, its point fails."""

    @contextmanager
    def run(points: Iterable[tuple[Point, Request]]) -> Iterator[Rows]:
        asked = list(points)
        with in_processes(sharing(run_point, min(workers, len(asked))), asked, workers) as answers:
            yield (
                (point, {"error": str(answer)} if isinstance(answer, ProcessDiedError) else answer)
                for point, answer in answers
            )

    return run


def run_on_dask(address: str) -> Run:
    """Run points on the workers of the Dask cluster at `address`, which need swaplab; SweepError if there is none."""
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise SweepError("Dask is not installed; pip install 'swaplab[dask]'") from None

    @contextmanager
    def run(points: Iterable[tuple[Point, Request]]) -> Iterator[Rows]:
        failure: str | None = None
        try:
            client = Client(address, timeout="10s", set_as_default=False)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            why = str(error).replace(f" to {address}", "").replace(f" {address!r}", "")  # it is said already
            failure = f"no Dask scheduler answers at {address} ({why}); start one, or leave --dask out"
        if failure is not None:
            gc.collect()  # half a client: its end takes a lock, for ever if it comes while a cluster is being started
            raise SweepError(failure)
        with closing(client):
            asked = {client.submit(run_point, request, pure=False): point for point, request in points}
            done = as_completed(list(asked), loop=client.loop)  # type: ignore[no-untyped-call]
            yield ((asked[future], _row(future)) for future in done)

    return run


def _row(future: Any) -> Row:
    """What a cluster made of a point. It raises what went wrong with the cluster: run_point itself raises nothing."""
    raised = future.exception()
    row: Row = future.result() if raised is None else {"error": f"{type(raised).__name__}: {raised}"}
    return row


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
        with run(missing) as rows, self._journal() as journal:
            for point, row in rows:
                journal.write(json.dumps({"point": dict(point), "row": row}) + "\n")
                journal.flush()
                done[key(point)] = row
                ran()
        found = [dict(point) | done[key(point)] for point in self.grid.points()]
        self._write_tables(found)
        return found

    def done(self) -> dict[str, Row]:
        """Points that were finished without an error, by key; SweepError when a journal is not that of this sweep."""
        file = self.directory / JOURNAL
        if not file.exists():
            return {}
        if not file.is_file() or file.stat().st_size > MOST_BYTES:
            raise SweepError(f"{file} is not what a sweep has written; name another directory")
        text = file.read_text(encoding="utf-8", errors="replace")
        if not text.strip():
            return {}
        first, *lines = text.splitlines()
        if first != json.dumps(self._header()):
            raise SweepError(f"{file} belongs to another sweep: {first[:200]}; name another directory")
        entries = [_entry(f"{file}:{number}", line) for number, line in enumerate(lines, start=2)]
        return {key(tuple(point.items())): row for point, row in filter(None, entries) if row["error"] is None}

    def _journal(self) -> IO[str]:
        """The journal, to be written on; begun, in a directory made for it, where there is none."""
        self.directory.mkdir(parents=True, exist_ok=True)
        file = (self.directory / JOURNAL).open("a+", encoding="utf-8")
        file.seek(0)
        text = file.read()
        if not text.strip():
            file.truncate(0)
            file.write(json.dumps(self._header()) + "\n")
        elif not text.endswith("\n"):
            file.write("\n")  # behind a line that was being written when the sweep was interrupted
        return file

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

        types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
        columns = {name: type(values[0]) for name, values in self.grid.axes} | FIGURES | {"error": str}
        about = {"swaplab.sweep": json.dumps(self._header())}
        schema = pa.schema([(name, types[kind]) for name, kind in columns.items()], about)
        pq.write_table(pa.Table.from_pylist(rows, schema), self.directory / TABLES[0])
        with (self.directory / TABLES[1]).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(columns))
            writer.writeheader()
            writer.writerows(rows)


def _entry(place: str, line: str) -> tuple[dict[str, Value], Row] | None:
    """A line of the journal: point and row; None for one that was being written when the sweep was interrupted."""
    try:
        entry = parse_json(line)
    except ValueError:
        return None
    match entry:
        case {"point": dict(point), "row": {"error": _} as row}:
            return point, row
    raise SweepError(f"{place} is no point of a sweep: {line[:200]}; delete that line, or name another directory")
