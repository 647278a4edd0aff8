"""What acomp's own tests use, for the tests of those who write algorithms and programs on it.

`check_conformance` is the test that every algorithm must pass; `sweep_cancel` cancels a coroutine at every point at
which it can be cancelled.
"""

from .conformance import check_conformance, compress_one_by_one
from .samples import sample_pages
from .sweep import sweep_cancel

__all__ = ["check_conformance", "compress_one_by_one", "sample_pages", "sweep_cancel"]
