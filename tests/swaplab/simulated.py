"""Columns of usemem that are simulated once, for tests of what commands make of them. No test in here.

A simulation answers the same request with the same column, which tests of their own hold; for the others it is only
the long way to a table.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from swaplab.experiments import usemem
from swaplab.experiments.tables import Request
from swaplab.experiments.usemem import UsememColumn, run_usemem

_COLUMNS: dict[Request, UsememColumn] = {}


@contextmanager
def simulated_once() -> Iterator[None]:
    """Within it a command simulates only what nobody has asked before; its workers are one (`--workers 1`)."""

    def remembered(request: Request) -> UsememColumn:
        if request not in _COLUMNS:
            _COLUMNS[request] = run_usemem(request)
        return _COLUMNS[request]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(usemem, "run_usemem", remembered)
        yield
