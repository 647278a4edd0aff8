"""Worker processes: each runs one request after the other, and how they end is their parent's business alone.

A terminal sends SIGINT to every process, and who shuts a machine down sends SIGTERM. Workers have both blocked from
their first instruction on; whoever leaves them, for whatever reason, ends them at once; and should their parent be
killed, they see it and leave as well. One that is killed from outside costs the request that it had, no more.

The standard library's pools cannot do the last: with `ProcessPoolExecutor` every request that is waiting fails with the
worker that died, and `multiprocessing.Pool` waits for its answer for ever.
"""

import atexit
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from swaplab.process_died import ProcessDiedError

K = TypeVar("K")
Q = TypeVar("Q")
T = TypeVar("T")


_started: set[BaseProcess] = set()


@contextmanager
def in_processes(
    run: Callable[[Q], T],
    requests: Iterable[tuple[K, Q]],
    workers: int,
    *,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Iterator[tuple[K, T | ProcessDiedError]]]:
    """What `run` makes of each request, with its key, in the order in which they are done; raises what `run` raises.

    Each worker has one request at a time, and none is started before there is one for it. `environment` is added to
    that of the workers, for what an interpreter reads when it begins.
    """
    busy: list[_Worker[K, Q, T]] = []
    answers = _answers(busy, lambda: _Worker(run, environment or {}), iter(requests), workers)
    try:
        yield answers
    finally:
        with _signals_blocked():  # a second one must not come between
            for worker in busy:
                worker.end()


class _Worker(Generic[K, Q, T]):
    """A process, and the key of the request that it has."""

    key: K

    def __init__(self, run: Callable[[Q], T], environment: Mapping[str, str]) -> None:
        spawn = get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(run, theirs), daemon=True)
        _started.add(self._process)
        with theirs, _signals_blocked(), _also_in_environment(environment):
            self._process.start()

    def give(self, key: K, request: Q) -> None:
        """Hand it a request. That it has died meanwhile is found out when its answer is taken."""
        self.key = key
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send(request)

    def take(self) -> T | ProcessDiedError:
        """Its answer, which has to be there, or its end of the pipe to be closed."""
        try:
            answer: T
            answer, error = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            return ProcessDiedError()
        if error is not None:
            raise error
        return answer

    def end(self) -> None:
        """Kill it: there is nothing that it would have to bring to an end."""
        self._process.kill()
        self._process.join()
        _started.discard(self._process)
        self.pipe.close()


def _answers(
    busy: list[_Worker[K, Q, T]],
    start: Callable[[], _Worker[K, Q, T]],
    waiting: Iterator[tuple[K, Q]],
    workers: int,
) -> Iterator[tuple[K, T | ProcessDiedError]]:
    """Keep so many workers busy as long as requests are waiting."""
    for key, request in islice(waiting, workers):
        busy.append(worker := start())
        worker.give(key, request)
    while busy:
        done = wait([worker.pipe for worker in busy])
        for worker in [each for each in busy if each.pipe in done]:
            key, answer = worker.key, worker.take()
            following = next(waiting, None)
            if following is None or isinstance(answer, ProcessDiedError):
                busy.remove(worker)
                worker.end()
            if following is not None:
                if worker not in busy:
                    busy.append(worker := start())
                worker.give(*following)
            yield key, answer


def _serve(run: Callable[[Q], T], requests: "Connection[Any, Any]") -> None:
    """The life of a worker, which ends with its parent's at the latest."""
    threading.Thread(target=_leave_with_parent, name="parent's end", daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            request = requests.recv()
            answer: tuple[T | None, Exception | None]
            try:
                answer = run(request), None
            except Exception as error:
                error.add_note("in a worker process:\n" + traceback.format_exc())
                answer = None, error
            requests.send(answer)


def _leave_with_parent() -> None:
    """Wait until the parent is gone, however it went, and leave in the middle of whatever is being run."""
    parent = parent_process()
    assert parent is not None, "only a worker waits for the end of its parent"
    wait([parent.sentinel])
    os._exit(1)


@atexit.register
def _leave_nobody() -> None:
    """End whom an interrupt made us forget while it was being started.

    Multiprocessing would send it SIGTERM, which it has blocked, and then wait for it for ever.
    """
    for process in _started:
        if process.is_alive():
            process.kill()


@contextmanager
def _also_in_environment(added: Mapping[str, str]) -> Iterator[None]:
    """For what is started inside."""
    before = dict(os.environ)
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            if name in before:
                os.environ[name] = before[name]
            else:
                del os.environ[name]


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """For what is started inside. Multiprocessing's own process is started first, for that unblocks them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
