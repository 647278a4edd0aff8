"""A store or a cache over its log, as the service has them, without the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import acomp
from swaplab.service.log_thread import LogThread
from swaplab.service.log_writer import LogWriter
from swaplab.service.rooms import Kept
from swaplab.service.value_log import ValueLog

One = TypeVar("One", bound=Kept)


@asynccontextmanager
async def restored(one: One, directory: Path) -> AsyncIterator[One]:
    """Open it, with what the log in this directory has."""
    with acomp.registry():
        await one.open()
        thread = LogThread()
        log = ValueLog(directory)
        try:
            await one.restore(log, LogWriter(log, "1s", thread))
            yield one
        finally:
            await one.close()
            thread.close()
